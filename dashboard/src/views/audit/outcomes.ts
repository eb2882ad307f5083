import type { AuditOutcome } from "@/api/types";

/** The outcomes of an event with their names. */
export const OUTCOMES: readonly { value: AuditOutcome; label: string }[] = [
  { value: "allowed", label: "Allowed" },
  { value: "denied", label: "Denied" },
  { value: "unknown", label: "Unknown" },
];
