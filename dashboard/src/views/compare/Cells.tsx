import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Search } from "@/lib/search";
import { withSearch } from "@/lib/search";
import { SignificanceNote } from "@/ui/SignificanceNote";
import type { Periods } from "./periods";

/** The properties of a table that compares two periods. */
export interface TableProps extends Periods {
  search: Search;
}

interface RowProps extends TableProps {
  name: ReactNode;
  was: string;
  is: string;
  change: string;
  /** The result of the significance test, if the change was tested. */
  test?: { significant: boolean } | null | undefined;
  /** The filter of the row's posts. */
  narrow: Partial<Search>;
}

/** A measure of both periods. Each value links to its posts. */
export function Row({ name, was, is, change, test, narrow, search, later, earlier }: RowProps) {
  const link = (stretch: { start: number; end: number }, text: string, strong: boolean) => (
    <Link
      to="/posts"
      search={withSearch(search, {
        ...narrow,
        range: undefined,
        against: undefined,
        from: new Date(stretch.start).toISOString(),
        to: new Date(stretch.end).toISOString(),
      })}
      className={`-m-1 rounded-md p-1 underline-offset-2 hover:bg-raised hover:underline ${strong ? "font-medium" : "text-quiet"}`}
    >
      {text}
    </Link>
  );
  return (
    <tr className="border-t border-border">
      <th scope="row" className="py-2 text-left font-normal">
        {name}
      </th>
      <td className="py-2 pl-3">{link(earlier, was, false)}</td>
      <td className="py-2 pl-3">{link(later, is, true)}</td>
      <td className="py-2 pl-3 whitespace-nowrap">
        {change}
        {test && <SignificanceNote significant={test.significant} className="block text-xs" />}
      </td>
    </tr>
  );
}

/** "↑ +4.2 pp", or a dash for `null`. */
export function changeText(value: number | null, unit: string): string {
  if (value === null) return "–";
  const arrow = Math.abs(value) < 0.05 ? "→" : value > 0 ? "↑" : "↓";
  return `${arrow} ${signedText(value)}${unit}`;
}

function signedText(value: number): string {
  const digits = Math.abs(value) >= 1_000 ? 0 : 1;
  const text = Math.abs(value).toLocaleString(undefined, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  if (Math.abs(value) < 0.05) return text;
  return `${value > 0 ? "+" : "−"}${text}`;
}
