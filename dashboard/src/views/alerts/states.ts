import type { Transition } from "@/api/types";

/** The display names of states. */
export const STATES: Record<Transition["to_state"], string> = {
  normal: "Normal",
  pending: "Pending",
  firing: "Firing",
  recovering: "Recovering",
  no_data: "No data",
  error: "Evaluation failed",
};
