import { cx } from "./cx";

interface SignificanceNoteProps {
  significant: boolean;
  className?: string;
}

/** Shows whether a change is significant (95 % confidence). */
export function SignificanceNote({ significant, className }: SignificanceNoteProps) {
  return (
    <span
      title={
        significant
          ? "Statistically significant (95% confidence)."
          : "The change may be due to chance (not significant at 95% confidence)."
      }
      className={cx(significant ? "font-medium text-text" : "text-quiet", className)}
    >
      {significant ? "significant" : "within noise"}
    </span>
  );
}
