import type { FormEvent, ReactNode } from "react";

interface FormFrameProps {
  title: string;
  /** Instructions under the title. */
  text?: ReactNode;
  onSubmit: (event: FormEvent) => void;
  children: ReactNode;
}

/** A form of the sign-in page. */
export function FormFrame({ title, text, onSubmit, children }: FormFrameProps) {
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-4">
      <div className="flex flex-col gap-1">
        <h1 className="text-xl font-semibold">{title}</h1>
        {text && <p className="text-sm text-quiet">{text}</p>}
      </div>
      {children}
    </form>
  );
}
