import type { AuditChange } from "@/api/types";
import { sentence } from "@/lib/labels";

/** Texts for the changes of the audit log. */

const ACTIONS: Readonly<Record<string, string>> = {
  create: "Added",
  update: "Changed",
  delete: "Deleted",
  reset: "Reset",
  acknowledge: "Acknowledged",
};

const OBJECTS: Readonly<Record<string, string>> = {
  rule: "alert rule",
  mute_timing: "mute timing",
  inhibit_rule: "inhibition rule",
};

/** "update", "rule" → "Changed alert rule". */
export function changeWords({ action, object_kind }: AuditChange): string {
  return `${ACTIONS[action] ?? sentence(action)} ${OBJECTS[object_kind] ?? object_kind}`;
}

/** A changed field of an object. A value is `null` if the field was not set. */
export interface FieldChange {
  field: string;
  before: string | null;
  after: string | null;
}

/** The fields that differ between the object before and after the change. */
export function fieldChanges({ before, after }: AuditChange): FieldChange[] {
  const [old, now] = [fieldsOf(before), fieldsOf(after)];
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return names
    .map((field) => ({ field, before: textOf(old[field]), after: textOf(now[field]) }))
    .filter((change) => change.before !== change.after);
}

function fieldsOf(object: unknown): Record<string, unknown> {
  return typeof object === "object" && object !== null ? (object as Record<string, unknown>) : {};
}

function textOf(value: unknown): string | null {
  if (value === undefined || value === null || value === "") return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}
