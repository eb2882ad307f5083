import type { ReactNode } from "react";
import { Card } from "@/ui/Card";

interface TableFrameProps {
  title: string;
  /** The header of the first column. */
  first: string;
  children: ReactNode;
}

/** A table with the columns earlier, later and change. */
export function TableFrame({ title, first, children }: TableFrameProps) {
  return (
    <Card title={title}>
      <table className="tabular w-full text-right text-sm">
        <thead className="text-xs text-quiet">
          <tr>
            <th scope="col" className="py-1 text-left font-medium">
              {first}
            </th>
            <th scope="col" className="py-1 pl-3 font-medium">
              Earlier
            </th>
            <th scope="col" className="py-1 pl-3 font-medium">
              Later
            </th>
            <th scope="col" className="py-1 pl-3 font-medium">
              Change
            </th>
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </Card>
  );
}
