import type { System } from "@/api/types";
import { percentOf } from "@/lib/counts";
import { compact, count, duration, exact, percent, rate } from "@/lib/format";
import { sentence } from "@/lib/labels";
import { languageName, languageNames } from "@/lib/languages";
import { Card } from "@/ui/Card";
import { Fact, Facts } from "./Facts";
import { Health } from "./Health";

/** The state of the system in cards. */
export function SystemCards({ system }: { system: System }) {
  return (
    <>
      <Numbers system={system} />
      <div className="grid grid-cols-1 gap-4 md:grid-cols-2 xl:grid-cols-3">
        <Services system={system} />
        <Model model={system.model} unscored={system.unscored} />
        <Process system={system} />
        <Consumers consumers={system.consumers} />
      </div>
    </>
  );
}

function Numbers({ system: { throughput, stream } }: { system: System }) {
  const numbers = [
    { name: "Posts in", value: rate(throughput.in_per_second), hint: "Appended, last minute" },
    { name: "Posts out", value: rate(throughput.out_per_second), hint: "Analysed, last minute" },
    {
      name: "Lag",
      value: stream.lag ? duration(stream.lag.oldest_seconds) : "–",
      hint: "Age of the oldest waiting post",
    },
    {
      name: "Pending",
      value: stream.lag ? compact(stream.lag.pending) : "–",
      hint: stream.lag
        ? `${count(stream.lag.waiting)} waiting, ${count(stream.lag.claimed)} in progress`
        : "",
    },
    {
      name: "Dead letters",
      value: stream.dead_letters == null ? "–" : compact(stream.dead_letters),
      hint: "Posts that could not be read or analysed",
    },
  ];
  return (
    <dl className="grid grid-cols-2 gap-4 sm:grid-cols-3 xl:grid-cols-5">
      {numbers.map(({ name, value, hint }) => (
        <div key={name} className="card flex flex-col px-4 py-3 last:col-span-2 sm:last:col-span-1">
          <dt className="text-sm text-quiet">{name}</dt>
          <dd className="tabular text-2xl font-semibold">{value}</dd>
          <dd className="text-xs text-quiet">{hint}</dd>
        </div>
      ))}
    </dl>
  );
}

function Services({ system: { database, stream, components, sources } }: { system: System }) {
  // Sources have their own card.
  const named = new Set(sources?.map(({ name }) => `source:${name}`));
  const others = components.filter(({ name }) => !named.has(name));
  return (
    <Card title="Services">
      <ul className="flex flex-col gap-2 text-sm">
        <Health
          name="Database"
          kind={database.kind}
          healthy={database.state === "connected"}
          {...stateOf(database)}
        />
        <Health
          name="Stream"
          kind={stream.kind}
          healthy={stream.state === "connected"}
          {...stateOf(stream)}
        />
        {others.map((component) => (
          <Health
            key={component.name}
            healthy={component.healthy}
            name={componentName(component.name)}
            {...stateOf(component)}
          />
        ))}
      </ul>
    </Card>
  );
}

/** "source:bluesky" → "Source bluesky". */
function componentName(name: string): string {
  return sentence(name.replace(":", " "));
}

function stateOf({ state, detail }: { state: string; detail?: string | null }) {
  return { state, detail };
}

function Model({ model, unscored }: Pick<System, "model" | "unscored">) {
  const { info, speed } = model;
  return (
    <Card title="Model">
      <ul className="mb-2 flex flex-col gap-2 text-sm">
        <Health name={info?.name ?? "Model"} healthy={model.state === "connected"} {...stateOf(model)} />
        {model.routes.map((route) => (
          <Health
            key={route.languages.join()}
            name={route.languages.map(languageName).join(", ")}
            kind={route.info?.name ?? route.model}
            healthy={route.state !== "failed" && !route.behind}
            state={routeState(route)}
            detail={route.detail}
          />
        ))}
      </ul>
      {info?.warnings.map((warning) => (
        <p key={warning} role="note" className="mb-2 text-sm text-quiet">
          {sentence(warning)}.
        </p>
      ))}
      {info && (
        <Facts>
          {speed && (
            <>
              <Fact name="Speed">
                {rate(speed.posts_per_second)}, {compact(Math.round(speed.tokens_per_second))} tokens/s
              </Fact>
              <Fact name="Busy">
                {percent(speed.utilisation * 100)} of the last {duration(speed.window_seconds)}
              </Fact>
              {speed.batch_ms != null && (
                <Fact name="Batch">{duration(speed.batch_ms / 1_000)} on average</Fact>
              )}
              {speed.mean_layers != null && (
                <Fact name="Depth">
                  {speed.mean_layers.toFixed(1)} of {info.layers} layers on average
                </Fact>
              )}
              {speed.cached > 0 && <Fact name="Cached">{percent(speed.cached * 100)} of posts</Fact>}
            </>
          )}
          {unscored && unscored.unscored_count > 0 && (
            <Fact name="Not scored">
              {percent(unscored.percentage)} in 24 hours ({languageNames(unscored.languages)})
            </Fact>
          )}
          {info.languages.length > 0 && (
            <Fact name="Languages">{info.languages.map(languageName).join(", ")}</Fact>
          )}
          <Fact name="Architecture">{info.architecture}</Fact>
          <Fact name="Precision">{info.precision}</Fact>
          <Fact name="Longest input">{count(info.max_tokens)} tokens</Fact>
          <Fact name="Parameters">{compact(info.parameters)}</Fact>
          <Fact name="Loaded in">{duration(info.load_ms / 1_000)}</Fact>
        </Facts>
      )}
    </Card>
  );
}

/** "connected, 48 posts, 12/s" */
function routeState({ state, behind, posts, speed }: System["model"]["routes"][number]): string {
  const shown = [behind ? "behind" : state, `${compact(posts)} posts`];
  return [...shown, ...(speed ? [rate(speed.posts_per_second)] : [])].join(", ");
}

function Process({
  system: { versions, started_at, uptime_seconds, cache, live, stream },
}: {
  system: System;
}) {
  const lookups = cache.hits + cache.misses;
  return (
    <Card title="This process">
      <Facts>
        <Fact name="Version">{versions.sentistream}</Fact>
        <Fact name="Platform">{versions.platform}</Fact>
        <Fact name="Running for">
          <span title={`since ${exact(started_at)}`}>{duration(uptime_seconds)}</span>
        </Fact>
        <Fact name="Live clients">{count(live.clients)}</Fact>
        <Fact name="Cache hits">
          {cache.enabled
            ? `${percent(lookups ? percentOf(cache.hits, lookups) : null)} of ${compact(lookups)} lookups`
            : "off"}
        </Fact>
        <Fact name="Appended">{stream.appended == null ? "–" : `${count(stream.appended)} posts`}</Fact>
      </Facts>
    </Card>
  );
}

/** A worker with claimed posts that is idle for longer than this may have stopped. Others then claim its posts. */
const SILENT_SECONDS = 60;

function Consumers({ consumers }: { consumers: System["consumers"] }) {
  return (
    <Card title="Workers" className="md:col-span-2 xl:col-span-3">
      {!consumers ? (
        <p className="text-sm text-quiet">Unknown while the stream is unavailable.</p>
      ) : consumers.length === 0 ? (
        <p className="text-sm text-quiet">No worker has claimed a post yet.</p>
      ) : (
        <ul className="grid grid-cols-1 gap-x-8 gap-y-2 text-sm lg:grid-cols-2">
          {consumers.map(({ name, claimed, idle_seconds }) => (
            <Health
              key={name}
              name={name}
              healthy={idle_seconds < SILENT_SECONDS || claimed === 0}
              state={`seen ${duration(idle_seconds)} ago, ${count(claimed)} in progress`}
            />
          ))}
        </ul>
      )}
    </Card>
  );
}
