import type { RuleDraft } from "@/api/types";
import { sentence } from "@/lib/labels";
import { cx } from "@/ui/cx";

type Severity = RuleDraft["severity"];

const LOOKS: Record<Severity, string> = {
  critical: "border-negative bg-negative/10 font-medium",
  warning: "border-warn bg-warn/10",
  info: "border-border bg-raised text-quiet",
};

/** The severity of an alert as a label. */
export function SeverityMark({ severity = "warning" }: { severity?: Severity | undefined }) {
  return (
    <span
      className={cx("inline-block rounded-sm border px-1.5 text-xs leading-5 text-text", LOOKS[severity])}
    >
      {sentence(severity)}
    </span>
  );
}
