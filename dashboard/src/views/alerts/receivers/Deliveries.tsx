import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { keys } from "@/api/keys";
import { getDeliveries, getDelivery, resendDelivery } from "@/api/notify";
import type { Delivery } from "@/api/types";
import { ago, duration, exact, plural } from "@/lib/format";
import { sentence } from "@/lib/labels";
import { useNow } from "@/lib/useNow";
import { Allowed } from "@/shell/Allowed";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { FailureNote } from "@/ui/ConfirmButton";
import { cx } from "@/ui/cx";
import { Drawer } from "@/ui/Drawer";
import { LoadMore } from "@/ui/LoadMore";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { useChange } from "@/ui/useSave";

const MARKS: Record<Delivery["state"], string> = {
  delivered: "▲ Delivered",
  pending: "● Pending",
  failed: "▼ Failed",
};

/** The log of deliveries for all alerts or for one alert, newest first. */
export function Deliveries({ alert }: { alert?: number }) {
  const [shown, setShown] = useState<number | null>(null);
  const now = useNow(10_000);
  const query = useInfiniteQuery({
    queryKey: keys.deliveries.list(alert),
    queryFn: ({ pageParam, signal }) => getDeliveries(alert, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: 10_000,
  });
  const deliveries = query.data?.pages.flatMap((page) => page.deliveries);
  return (
    <Card title="Deliveries" note="kept for 30 days">
      {query.error && !deliveries ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : !deliveries ? (
        <SkeletonRows rows={3} />
      ) : deliveries.length === 0 ? (
        <EmptyState title={alert === undefined ? "No notifications yet" : "No notifications sent"}>
          {alert !== undefined && (
            <p>
              No route matches this alert, the alert is suppressed, or its first message is not due yet. An
              alert that resolves before its first message sends none.{" "}
              <Link to="/alerts/routes" className="text-text underline underline-offset-2">
                View routes
              </Link>
            </p>
          )}
        </EmptyState>
      ) : (
        <ul className={cx("-mx-4 border-t border-border text-sm", !query.hasNextPage && "-mb-4")}>
          {deliveries.map((delivery) => (
            <DeliveryRow
              key={delivery.id}
              delivery={delivery}
              now={now}
              onShow={() => setShown(delivery.id)}
            />
          ))}
        </ul>
      )}
      <LoadMore query={query}>Show older</LoadMore>
      <Drawer title="Delivery" open={shown !== null} onClose={() => setShown(null)}>
        {shown !== null && <DeliveryBody id={shown} onResent={setShown} />}
      </Drawer>
    </Card>
  );
}

interface DeliveryRowProps {
  delivery: Delivery;
  now: number;
  onShow: () => void;
}

function DeliveryRow({ delivery, now, onShow }: DeliveryRowProps) {
  const { id, receiver, recipient, state, attempts, reason, error, created_at, message } = delivery;
  const resend = useChange(() => resendDelivery(id), [keys.deliveries.all]);
  const subjects = [...new Set(message.alerts?.map(({ labels }) => labels.alertname ?? "") ?? [])];
  return (
    <li className="grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-1 border-b border-border px-4 py-2 last:border-b-0 sm:grid-cols-[6.5rem_minmax(0,1fr)_auto_auto]">
      <span className="whitespace-nowrap">{MARKS[state]}</span>
      <span className="col-start-1 row-start-2 [overflow-wrap:anywhere] sm:col-start-auto sm:row-start-auto">
        <span className="font-medium">{receiver}</span>
        {recipient && <span className="text-quiet"> ({recipient})</span>}{" "}
        <span className="text-quiet">
          {sentence(reason)}
          {subjects.length > 0 && reason !== "test" && `: ${subjects.join(", ")}`}
          {attempts > 1 && ` · ${plural(attempts, "attempt")}`}
        </span>
        {error && state !== "delivered" && (
          <span className="block text-xs text-quiet">{sentence(error)}</span>
        )}
        <FailureNote error={resend.error} />
      </span>
      <span className="tabular text-right text-xs whitespace-nowrap text-quiet" title={exact(created_at)}>
        {ago(created_at, now)}
      </span>
      <span className="flex justify-end gap-2">
        {state === "failed" && (
          <Allowed scope="edit">
            <Button
              onClick={() => resend.mutate()}
              disabled={resend.isPending}
              aria-label={`Resend delivery ${id} to ${receiver}`}
            >
              {resend.isPending ? "Sending" : "Resend"}
            </Button>
          </Allowed>
        )}
        <Button onClick={onShow} aria-label={`Show delivery ${id} to ${receiver}`}>
          Show
        </Button>
      </span>
    </li>
  );
}

interface DeliveryBodyProps {
  id: number;
  /** Called with the id of the new delivery. */
  onResent: (id: number) => void;
}

function DeliveryBody({ id, onResent }: DeliveryBodyProps) {
  const query = useQuery({
    queryKey: keys.deliveries.one(id),
    queryFn: ({ signal }) => getDelivery(id, signal),
    refetchInterval: ({ state }) => (state.data?.state === "pending" ? 2_000 : false),
  });
  const resend = useChange(
    () => resendDelivery(id),
    [keys.deliveries.all],
    (sent) => onResent(sent.id),
  );
  if (query.error) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <SkeletonRows rows={4} />;
  const { log, message, receiver, recipient, state } = query.data;
  return (
    <div className="flex flex-col gap-4 text-sm">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p className="[overflow-wrap:anywhere]">
          {MARKS[state]} <span className="text-quiet">to {recipient ?? receiver}</span>
        </p>
        {state !== "pending" && (
          <Allowed scope="edit">
            <Button onClick={() => resend.mutate()} disabled={resend.isPending}>
              {resend.isPending ? "Sending" : "Resend"}
            </Button>
          </Allowed>
        )}
        <FailureNote error={resend.error} />
      </div>
      <section>
        <h3 className="mb-2 text-xs font-medium text-quiet">Attempts</h3>
        <ol className="flex flex-col gap-3">
          {log.map((attempt) => (
            <li key={attempt.at} className="rounded-md border border-border px-3 py-2">
              <p className="tabular">
                {exact(attempt.at)}{" "}
                <span className="text-quiet">
                  {duration(attempt.elapsed_ms / 1_000)}
                  {attempt.status != null && `, status ${attempt.status}`}
                </span>
              </p>
              {attempt.error && <p className="[overflow-wrap:anywhere]">▼ {attempt.error}</p>}
              {attempt.answer && (
                <pre className="mt-1 max-h-32 overflow-auto font-mono text-xs whitespace-pre-wrap text-quiet [overflow-wrap:anywhere]">
                  {attempt.answer}
                </pre>
              )}
            </li>
          ))}
        </ol>
      </section>
      <section>
        <h3 className="mb-2 text-xs font-medium text-quiet">Message</h3>
        <pre className="max-h-96 overflow-auto rounded-md bg-raised px-3 py-2 font-mono text-xs whitespace-pre-wrap [overflow-wrap:anywhere]">
          {JSON.stringify(message, null, 2)}
        </pre>
      </section>
    </div>
  );
}
