import { type Server, until } from "./server";

/** Adds a rule about a source and negative posts that make it fire. Returns the id of the alert. */
export async function fireAlert(server: Server, source: string): Promise<number> {
  const rule = {
    name: "Angry checkout",
    kind: "share",
    of: "sentiment:negative",
    direction: "above",
    threshold: 0.5,
    scope: `source:${source}`,
    group_by: "none",
    window: "30min",
    interval: "1s",
    min_posts: 3,
    for: "0s",
    keep_firing_for: "5min",
    severity: "critical",
    labels: {},
    annotations: {},
    enabled: true,
  };
  const added = await server.call("/api/alerts/rules", { method: "POST", body: JSON.stringify(rule) });
  if (!added.ok) throw new Error(`the rule was not added: ${await added.text()}`);
  const now = Date.now();
  await server.post(
    ...[1, 2, 3, 4].map((n) => ({
      post_id: `${source}-${n}`,
      source,
      content: `The checkout is broken again, this is terrible! (${n})`,
      created_at: new Date(now - 60_000 + n * 1_000).toISOString(),
    })),
  );
  let id: number | undefined;
  await until(60_000, async () => {
    const { alerts } = (await (await server.call("/api/alerts?state=firing")).json()) as {
      alerts: { id: number; scope: string }[];
    };
    id = alerts.find(({ scope }) => scope === `source:${source}`)?.id;
    return id !== undefined;
  });
  return id as number;
}
