/** The classes of a text field. */
export const inputClass =
  "h-8 pointer-coarse:min-h-11 w-full min-w-0 rounded-md border border-border bg-card px-2.5 text-sm text-text placeholder:text-quiet " +
  "transition-colors duration-150 hover:border-strong";
