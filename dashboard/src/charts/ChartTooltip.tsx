import type { ReactNode } from "react";

interface Row {
  key: string;
  name: ReactNode;
  value: string;
}

interface ChartTooltipProps {
  title: string;
  rows: readonly Row[];
  /** Events at this point. */
  marks?: readonly string[] | undefined;
  hint?: string;
}

/** The tooltip of a chart. */
export function ChartTooltip({ title, rows, marks = [], hint }: ChartTooltipProps) {
  return (
    <div className="rounded-md border border-strong bg-card px-3 py-2 text-xs shadow-[0_8px_24px_rgb(0_0_0/0.12)]">
      <p className="mb-1 font-medium">{title}</p>
      <dl className="grid grid-cols-[auto_auto] gap-x-4 gap-y-0.5">
        {rows.map(({ key, name, value }) => (
          <div key={key} className="col-span-2 grid grid-cols-subgrid">
            <dt>{name}</dt>
            <dd className="tabular text-right">{value}</dd>
          </div>
        ))}
      </dl>
      {marks.map((mark) => (
        <p key={mark} className="mt-1 text-warn">
          {mark}
        </p>
      ))}
      {hint && <p className="mt-1 text-quiet">{hint}</p>}
    </div>
  );
}
