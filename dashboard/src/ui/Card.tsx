import { type ReactNode, useId } from "react";
import { cx } from "./cx";

interface CardProps {
  title: string;
  /** At most one action, at the end of the title line. */
  action?: ReactNode;
  className?: string;
  /** The content reaches the card's edges. */
  flush?: boolean;
  children: ReactNode;
}

/** A titled section of a page. */
export function Card({ title, action, className, flush = false, children }: CardProps) {
  const id = useId();
  return (
    <section aria-labelledby={id} className={cx("card flex min-w-0 flex-col", className)}>
      <header className="flex min-h-11 items-center justify-between gap-3 px-4 pt-2 pb-1">
        <h2 id={id} className="truncate text-sm font-medium text-quiet">
          {title}
        </h2>
        {action}
      </header>
      <div className={cx("min-h-0 min-w-0 flex-1", !flush && "px-4 pb-4")}>{children}</div>
    </section>
  );
}
