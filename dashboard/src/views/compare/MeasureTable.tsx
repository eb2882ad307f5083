import type { Comparison } from "@/api/types";
import { compact, percent, score, signed } from "@/lib/format";
import { SENTIMENTS } from "@/lib/labels";
import { allOf, relativeChange } from "@/lib/metrics";
import { SentimentMark } from "@/ui/marks";
import { changeText, Row, type TableProps } from "./Cells";
import { TableFrame } from "./TableFrame";

/** Posts, shares, net sentiment and confidence of both periods. */
export function MeasureTable({ data, ...rest }: TableProps & { data: Comparison }) {
  const { current: is, previous: was, change } = data;
  const both = is.total > 0 && was.total > 0;
  const or = (total: number, text: string) => (total === 0 ? "–" : text);
  return (
    <TableFrame title="What changed" first="Measure">
      <Row
        {...rest}
        name="Posts"
        was={compact(allOf(was))}
        is={compact(allOf(is))}
        change={changeText(relativeChange(allOf(is), allOf(was)), "%")}
        test={change.significance?.total_percentage}
        narrow={{}}
      />
      {SENTIMENTS.map((label) => (
        <Row
          {...rest}
          key={label}
          name={<SentimentMark label={label} />}
          was={or(was.total, percent(was.percentages[label]))}
          is={or(is.total, percent(is.percentages[label]))}
          change={changeText(both ? change.percentages[label] : null, " pp")}
          test={both && !rest.search.sentiment ? change.significance?.percentages[label] : null}
          narrow={{ sentiment: label }}
        />
      ))}
      <Row
        {...rest}
        name="Net sentiment"
        was={or(was.total, signed(was.net_sentiment))}
        is={or(is.total, signed(is.net_sentiment))}
        change={changeText(both ? change.net_sentiment : null, " pp")}
        narrow={{}}
      />
      <Row
        {...rest}
        name="Confidence"
        was={or(was.total, score(was.average_confidence))}
        is={or(is.total, score(is.average_confidence))}
        change={both ? confidenceText(change.average_confidence) : "–"}
        narrow={{}}
      />
    </TableFrame>
  );
}

function confidenceText(value: number): string {
  if (Math.abs(value) < 0.005) return `→ ${score(0)}`;
  return `${value > 0 ? "↑ +" : "↓ −"}${score(Math.abs(value))}`;
}
