import { cx } from "./cx";

interface SignificanceNoteProps {
  significant: boolean;
  className?: string;
}

/** Says whether chance hardly explains a change (95 % confidence). */
export function SignificanceNote({ significant, className }: SignificanceNoteProps) {
  return (
    <span
      title={
        significant
          ? "Chance hardly explains this change (95% confidence)."
          : "Chance can explain this change (95% confidence)."
      }
      className={cx(significant ? "font-medium text-text" : "text-quiet", className)}
    >
      {significant ? "significant" : "within noise"}
    </span>
  );
}
