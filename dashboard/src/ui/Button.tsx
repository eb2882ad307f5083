import type { ComponentProps } from "react";
import { cx } from "./cx";

type Look = "plain" | "outline" | "solid" | "danger";

const LOOKS: Record<Look, string> = {
  plain: "text-quiet hover:bg-raised hover:text-text",
  outline: "border border-border bg-card text-text hover:border-strong hover:bg-raised",
  solid: "bg-inverse text-on-inverse hover:opacity-90",
  danger: "border border-negative text-text hover:bg-negative/10",
};

/** The classes of a button, or of a link that looks like one. */
export function buttonClass(look: Look = "outline", className?: string): string {
  return cx(
    "inline-flex h-8 shrink-0 pointer-coarse:min-h-11 pointer-coarse:min-w-11 items-center justify-center gap-1.5 whitespace-nowrap rounded-md px-2.5 text-sm",
    "transition-colors duration-150 disabled:opacity-50",
    LOOKS[look],
    className,
  );
}

export function Button({ look, className, ...props }: ComponentProps<"button"> & { look?: Look }) {
  return <button type="button" className={buttonClass(look, className)} {...props} />;
}

/** A button with only an icon. The label is its accessible name. */
export function IconButton({ label, className, ...props }: ComponentProps<"button"> & { label: string }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={buttonClass("plain", cx("w-8 px-0", className))}
      {...props}
    />
  );
}
