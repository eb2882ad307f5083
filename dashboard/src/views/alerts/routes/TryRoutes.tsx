import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Plus, X } from "lucide-react";
import { useState } from "react";
import { keys } from "@/api/keys";
import { previewRoutes } from "@/api/notify";
import type { RoutePreview } from "@/api/types";
import { plural } from "@/lib/format";
import { useDebounced } from "@/lib/useDebounced";
import { Button, IconButton } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { inputClass } from "@/ui/Input";
import { ErrorState } from "@/ui/states";

interface Label {
  name: string;
  value: string;
}

const FIRST: Label[] = [
  { name: "alertname", value: "negative_share" },
  { name: "severity", value: "critical" },
  { name: "source", value: "" },
];

/** Shows the receivers of an alert with the given labels. Nothing is sent. */
export function TryRoutes() {
  const [labels, setLabels] = useState(FIRST);
  const settled = useDebounced(JSON.stringify(recordOf(labels)), 300);
  const query = useQuery({
    queryKey: keys.routes.preview(settled),
    queryFn: ({ signal }) => previewRoutes(JSON.parse(settled) as Record<string, string>, signal),
    placeholderData: keepPreviousData,
  });
  const replace = (index: number, part: Partial<Label>) =>
    setLabels(labels.map((label, at) => (at === index ? { ...label, ...part } : label)));
  return (
    <Card title="Test routes" note="nothing is sent">
      <fieldset className="flex flex-col gap-2 text-sm">
        <legend className="mb-1 text-xs text-quiet">An alert with these labels</legend>
        {labels.map(({ name, value }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: labels have no other identity
          <div key={index} className="grid grid-cols-[minmax(0,1fr)_minmax(0,1.3fr)_2rem] gap-1.5">
            <input
              aria-label={`Label ${index + 1} of the alert`}
              value={name}
              onChange={(event) => replace(index, { name: event.target.value })}
              className={inputClass}
            />
            <input
              aria-label={`Value of label ${index + 1}`}
              value={value}
              placeholder="not set"
              onChange={(event) => replace(index, { value: event.target.value })}
              className={inputClass}
            />
            <IconButton
              label={`Remove label ${index + 1}`}
              onClick={() => setLabels(labels.filter((_, at) => at !== index))}
            >
              <X size={14} />
            </IconButton>
          </div>
        ))}
        <div>
          <Button onClick={() => setLabels([...labels, { name: "", value: "" }])}>
            <Plus size={14} aria-hidden="true" />
            Add label
          </Button>
        </div>
      </fieldset>
      <div role="status" className="mt-4 border-t border-border pt-3 text-sm">
        {query.error ? (
          <ErrorState error={query.error} retry={() => void query.refetch()} />
        ) : (
          query.data && <Result preview={query.data} />
        )}
      </div>
    </Card>
  );
}

function Result({ preview: { routes, silences, inhibited_by } }: { preview: RoutePreview }) {
  if (routes.length === 0) return <p>● Dashboard only. No route matches.</p>;
  return (
    <>
      {inhibited_by.length > 0 && (
        <p className="mb-2">
          ▼ Inhibited by {plural(inhibited_by.length, "firing alert")}. No notifications are sent.
        </p>
      )}
      {silences.length > 0 && (
        <p className="mb-2">▼ Silenced: {plural(silences.length, "silence matches", "silences match")}.</p>
      )}
      <ol className="flex flex-col gap-2">
        {routes.map(({ name, receiver, muted_by, outside_active_timings, group }) => (
          <li key={name}>
            <span className="font-medium [overflow-wrap:anywhere]">▲ {receiver}</span>{" "}
            <span className="text-quiet [overflow-wrap:anywhere]">via {name}</span>
            <span className="block text-xs text-quiet [overflow-wrap:anywhere]">{groupText(group)}</span>
            {muted_by.length > 0 && (
              <span className="block text-xs [overflow-wrap:anywhere]">
                ● Muted now by {muted_by.join(", ")}
              </span>
            )}
            {outside_active_timings && <span className="block text-xs">● Outside its active hours now</span>}
          </li>
        ))}
      </ol>
    </>
  );
}

function groupText(group: Record<string, string>): string {
  const parts = Object.entries(group).map(([name, value]) => `${name} ${value}`);
  return parts.length > 0 ? `Grouped by ${parts.join(", ")}` : "In one group";
}

/** The labels with a value. */
function recordOf(labels: readonly Label[]): Record<string, string> {
  const set = labels.filter(({ name, value }) => name.trim() !== "" && value !== "");
  return Object.fromEntries(set.map(({ name, value }) => [name.trim(), value]));
}
