import type { Sentiment } from "@/api/types";
import { GLYPHS, SENTIMENT_COLORS, SENTIMENTS, sentence } from "@/lib/labels";
import type { Point } from "@/lib/metrics";
import type { EndLabel } from "./EndLabels";

export type Mode = "counts" | "shares";

/** A point with separate fields for finished and unfinished values, which are drawn differently. */
export type Row = Point &
  Partial<Record<`${Sentiment}Open`, number>> &
  Partial<Record<`${Sentiment}Done`, number>>;

/** Splits each line where the unfinished bucket begins. The dashed part starts at the last finished point. */
export function rowsOf(points: readonly Point[]): Row[] {
  const open = points.findIndex((point) => point.unfinished);
  const firstOpen = open < 0 ? points.length : open;
  return points.map((point, index) => {
    const row: Row = { ...point };
    if (point.beforeData) return row;
    for (const label of SENTIMENTS) {
      if (index < firstOpen) row[`${label}Done`] = point[label];
      if (index >= firstOpen - 1 && firstOpen < points.length) row[`${label}Open`] = point[label];
    }
    return row;
  });
}

/** The sentiments that pass a filter. */
export function shownSentiments(only: Sentiment | undefined): readonly Sentiment[] {
  return only ? [only] : SENTIMENTS;
}

/** The labels at the right end of the lines. */
export function endLabels(points: readonly Point[], labels: readonly Sentiment[]): EndLabel[] {
  // The labels belong to the drawn end of the lines, which includes the unfinished bucket.
  const last = points.at(-1);
  if (!last) return [];
  return labels.map((label) => ({
    text: `${GLYPHS[label]} ${sentence(label)}`,
    value: last[label],
    color: SENTIMENT_COLORS[label],
  }));
}
