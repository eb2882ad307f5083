import { type ReactNode, useId } from "react";
import { cx } from "./cx";

interface CardProps {
  title: string;
  /** A short note after the title. */
  note?: string;
  /** One action at the end of the title line. */
  action?: ReactNode;
  className?: string;
  /** Removes the padding around the content. */
  flush?: boolean;
  children: ReactNode;
}

/** A titled section of a page. */
export function Card({ title, note, action, className, flush = false, children }: CardProps) {
  const id = useId();
  return (
    <section aria-labelledby={id} className={cx("card flex min-w-0 flex-col", className)}>
      <header className="flex min-h-11 flex-wrap items-center justify-between gap-x-3 gap-y-1 px-4 pt-2 pb-1">
        <h2 id={id} className="max-w-full wrap-break-word text-sm font-medium text-quiet sm:truncate">
          {title}
          {note && <span className="ml-2 text-xs font-normal">{note}</span>}
        </h2>
        {action}
      </header>
      <div className={cx("min-h-0 min-w-0 flex-1", !flush && "px-4 pb-4")}>{children}</div>
    </section>
  );
}
