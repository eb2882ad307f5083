import type { AlertDetail } from "@/api/types";
import { compact, count, decimal, duration, percent, plural } from "@/lib/format";
import { sentence } from "@/lib/labels";
import { useNow } from "@/lib/useNow";
import { MoodBar } from "../../topics/MoodBar";
import { spanText } from "../timeText";
import { isActive, kindOf, lasted, thresholdText, valueText } from "../words";
import type { Details } from "./details";

interface Figure {
  title: string;
  value: string;
  note: string;
  exact?: string;
}

interface FiguresProps {
  alert: AlertDetail;
  details: Details;
  /** The value of an active alert at the last evaluation, if it is known. */
  value: number | undefined;
}

/** The key figures of an alert. */
export function AlertFigures({ alert, details, value }: FiguresProps) {
  const now = useNow(10_000);
  return (
    <section aria-label="Key figures" className="@container">
      <ul className="grid grid-cols-2 gap-3 @min-[700px]:grid-cols-4 @min-[700px]:gap-4">
        {figuresOf({ alert, details, value }, now).map(({ title, value, note, exact }) => (
          <li key={title} className="card flex min-w-0 flex-col px-4 py-3">
            <span className="text-sm text-quiet">{title}</span>
            <span
              className="tabular truncate text-xl font-semibold @min-[700px]:text-2xl"
              title={exact ?? value}
            >
              {value}
            </span>
            <span className="tabular text-xs text-quiet">{note}</span>
          </li>
        ))}
        <li className="card flex min-w-0 flex-col px-4 py-3">
          <span className="text-sm text-quiet">Posts in the window</span>
          <span
            className="tabular text-xl font-semibold @min-[700px]:text-2xl"
            title={count(alert.post_count)}
          >
            {compact(alert.post_count)}
          </span>
          {details.counts && details.total ? (
            <span className="mt-1.5">
              <MoodBar percentages={sharesOf(details.counts, details.total)} />
            </span>
          ) : (
            <span className="text-xs text-quiet">{spanText(alert.window_start, alert.window_end)}</span>
          )}
        </li>
      </ul>
    </section>
  );
}

function figuresOf({ alert, details, value }: FiguresProps, now: number): Figure[] {
  const active = isActive(alert);
  const recovering = active && alert.phase === "recovering";
  return [
    active ? currentOf(alert, value ?? alert.actual_value) : peakOf(alert, details),
    {
      title: active ? "Active for" : "Lasted",
      value: duration(lasted(alert, now)),
      note: recovering ? "recovering" : active ? "so far" : "resolved",
    },
    usualOf(alert, details),
  ];
}

/** The current value of an active alert, with the limit. */
function currentOf(alert: AlertDetail, current: number): Figure {
  const kind = kindOf(alert);
  if (kind === "absence") return noPosts(alert);
  return { title: "Now", value: valueText(kind, current), note: limitText(alert) };
}

/** The most extreme value of a resolved alert, with the limit. */
function peakOf(alert: AlertDetail, { peak }: Details): Figure {
  const kind = kindOf(alert);
  if (kind === "absence") return noPosts(alert);
  if (peak === null)
    return { title: "Value", value: valueText(kind, alert.actual_value), note: limitText(alert) };
  return { title: "Peak", value: valueText(kind, peak), note: limitText(alert) };
}

function noPosts({ window_start, window_end }: AlertDetail): Figure {
  return { title: "Value", value: "No posts", note: spanText(window_start, window_end) };
}

/** The limit, and the value at firing from the timeline, because `actual_value` changes while the alert fires. */
function limitText(alert: AlertDetail): string {
  const kind = kindOf(alert);
  const limit = `limit ${thresholdText(kind, alert.threshold_value)}`;
  const fired = alert.timeline
    .filter(({ to_state, value }) => to_state === "firing" && value != null)
    .sort((a, b) => a.at.localeCompare(b.at))[0]?.value;
  return fired == null ? limit : `${limit}, ${valueText(kind, fired)} at firing`;
}

function usualOf(alert: AlertDetail, { baseline, usual, pValue, emotions, total }: Details): Figure {
  const kind = kindOf(alert);
  if (kind === "spike" && usual) {
    const spread = `± ${decimal(usual.spread)}`;
    return { title: "Usual", value: `${decimal(usual.level)} posts`, note: spread };
  }
  if (kind === "shift" && baseline !== null) {
    const sure = pValue === null ? "" : `, p ${pValue < 0.0001 ? "< 0.0001" : pValue.toPrecision(2)}`;
    return {
      title: "Share in the baseline period",
      value: percent(baseline * 100),
      note: `in the period before the window${sure}`,
    };
  }
  const [first] = emotions;
  return {
    title: "Strongest emotion",
    value: first ? sentence(first.emotion) : "–",
    note: first && total ? `${count(first.count)} of ${plural(total, "post")}` : "no posts",
  };
}

function sharesOf(counts: { positive: number; neutral: number; negative: number }, total: number) {
  const share = (value: number) => (value * 100) / total;
  return {
    positive: share(counts.positive),
    neutral: share(counts.neutral),
    negative: share(counts.negative),
  };
}
