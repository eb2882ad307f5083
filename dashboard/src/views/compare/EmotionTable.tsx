import type { Comparison } from "@/api/types";
import { percentOf } from "@/lib/counts";
import { percent } from "@/lib/format";
import { EMOTIONS } from "@/lib/labels";
import { EmotionMark } from "@/ui/marks";
import { changeText, Row, type TableProps } from "./Cells";
import { TableFrame } from "./TableFrame";

/** The share of each emotion in both periods. */
export function EmotionTable({ data, ...rest }: TableProps & { data: Comparison }) {
  const { current: is, previous: was } = data;
  const both = is.total > 0 && was.total > 0;
  return (
    <TableFrame title="Emotions" first="Emotion">
      {EMOTIONS.map((emotion) => {
        const now = percentOf(is.emotions[emotion], is.total);
        const before = percentOf(was.emotions[emotion], was.total);
        return (
          <Row
            {...rest}
            key={emotion}
            name={<EmotionMark label={emotion} />}
            was={was.total === 0 ? "–" : percent(before)}
            is={is.total === 0 ? "–" : percent(now)}
            change={changeText(both ? now - before : null, " pp")}
            narrow={{ emotion }}
          />
        );
      })}
    </TableFrame>
  );
}
