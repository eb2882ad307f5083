import type { Transition } from "@/api/types";

/** The states of a rule's series, in words. */
export const STATES: Record<Transition["to_state"], string> = {
  normal: "Normal",
  pending: "Pending",
  firing: "Firing",
  recovering: "Recovering",
  no_data: "No data",
  error: "Could not be measured",
};
