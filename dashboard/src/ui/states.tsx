import { Check, Copy } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { ApiError } from "@/api/client";
import { problemText } from "@/api/problemText";
import { askToSignIn } from "@/api/session";
import { Button, IconButton } from "./Button";
import { cx } from "./cx";

/** Shows its children after a short delay, so that fast responses do not flicker. */
export function Delayed({ children, delay = 200 }: { children: ReactNode; delay?: number }) {
  const [due, setDue] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setDue(true), delay);
    return () => clearTimeout(timer);
  }, [delay]);
  return due ? children : null;
}

/** A placeholder in the shape of the content. */
export function Skeleton({ className }: { className?: string }) {
  return (
    <Delayed>
      <div aria-hidden="true" className={cx("animate-breathe rounded-md bg-raised", className)} />
    </Delayed>
  );
}

/** Placeholder rows of a list. */
export function SkeletonRows({ rows = 6 }: { rows?: number }) {
  return (
    <div role="status" aria-label="Loading" className="flex flex-col gap-3 p-4">
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the rows are identical
        <Skeleton key={row} className="h-12" />
      ))}
    </div>
  );
}

/** An empty state: the reason and the next step. */
export function EmptyState({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="flex min-h-32 flex-col items-center justify-center gap-2 px-4 py-6 text-center">
      <p className="text-base font-medium text-balance">{title}</p>
      {children && (
        <div className="flex w-full max-w-[52ch] min-w-0 flex-col items-center gap-3 text-sm text-quiet">
          {children}
        </div>
      )}
    </div>
  );
}

/** A failed request: what happened and what to do. */
export function ErrorState({ error, retry }: { error: unknown; retry?: () => void }) {
  const { title, advice } = problemText(error);
  return (
    <div
      role="alert"
      className="flex min-h-32 flex-col items-center justify-center gap-2 px-4 py-6 text-center"
    >
      <p className="text-base font-medium">{title}</p>
      <p className="max-w-[52ch] text-sm break-words text-quiet">{advice}</p>
      <Remedy error={error} retry={retry} />
    </div>
  );
}

function Remedy({ error, retry }: { error: unknown; retry: (() => void) | undefined }) {
  if (error instanceof ApiError && error.status === 401) {
    return (
      <Button className="mt-1" onClick={() => askToSignIn(error.detail || error.title)}>
        Sign in
      </Button>
    );
  }
  if (!retry) return null;
  return (
    <Button onClick={retry} className="mt-1">
      Try again
    </Button>
  );
}

/** A command to run, with a button that copies it. */
export function Command({ children }: { children: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard?.writeText(children).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 2_000);
    });
  };
  return (
    <div className="flex max-w-full items-center gap-1 rounded-md border border-border bg-raised py-0.5 pr-0.5 pl-3 text-left">
      <code
        // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be reachable by keyboard
        tabIndex={0}
        className="min-w-0 flex-1 overflow-x-auto py-1 font-mono text-xs whitespace-pre text-text"
      >
        {children}
      </code>
      <IconButton label={copied ? "Copied" : "Copy"} onClick={copy}>
        {copied ? <Check size={14} /> : <Copy size={14} />}
      </IconButton>
    </div>
  );
}
