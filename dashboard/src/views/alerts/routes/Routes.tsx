import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useState } from "react";
import { keys } from "@/api/keys";
import { getReceivers, getRoutes } from "@/api/notify";
import type { Route } from "@/api/types";
import { Allowed } from "@/shell/Allowed";
import { ReadOnlyNote } from "@/shell/ReadOnlyNote";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Drawer } from "@/ui/Drawer";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { AlertTabs } from "../AlertTabs";
import { InhibitRules } from "../inhibit/InhibitRules";
import { MuteTimings } from "./MuteTimings";
import { RouteForm } from "./RouteForm";
import { RouteRow } from "./RouteRow";
import { treeOf } from "./routeDraft";
import { TryRoutes } from "./TryRoutes";

/** The content of the drawer: a route, the form of a new one, or `null` while it is closed. */
type Editing = Route | "new" | null;

/** The routes view: routes, mute timings, inhibition rules and a preview. */
export function Routes() {
  return (
    <>
      <AlertTabs />
      <div className="grid grid-cols-1 items-start gap-4 xl:grid-cols-[minmax(0,1fr)_24rem]">
        <div className="flex min-w-0 flex-col gap-4">
          <RouteList />
          <MuteTimings />
          <InhibitRules />
        </div>
        <TryRoutes />
      </div>
    </>
  );
}

function RouteList() {
  const [editing, setEditing] = useState<Editing>(null);
  const query = useQuery({ queryKey: keys.routes.list, queryFn: ({ signal }) => getRoutes(signal) });
  const receiverQuery = useQuery({
    queryKey: keys.receivers.all,
    queryFn: ({ signal }) => getReceivers(signal),
  });
  const receivers = receiverQuery.data;
  const routes = query.data;
  const close = () => setEditing(null);
  return (
    <Card
      title="Routes"
      note="the first matching route applies, or its first matching child route"
      action={
        <Allowed scope="edit">
          <Button onClick={() => setEditing("new")}>
            <Plus size={14} aria-hidden="true" />
            Add route
          </Button>
        </Allowed>
      }
    >
      <ReadOnlyNote scope="edit" what="routes" />
      {query.error && !routes ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : !routes ? (
        <SkeletonRows rows={3} />
      ) : routes.length === 0 ? (
        <EmptyState title="No routes">
          <p>
            Without a route, alerts appear on the dashboard only. A route without conditions matches all
            alerts.
          </p>
        </EmptyState>
      ) : (
        <ol className="-mx-4 -mb-4 border-t border-border text-sm">
          {treeOf(routes).map(({ route, depth }) => (
            <RouteRow
              key={route.id}
              route={route}
              depth={depth}
              deadEnd={receivers !== undefined && !receivers.some(({ name }) => name === route.receiver)}
              onEdit={() => setEditing(route)}
            />
          ))}
        </ol>
      )}
      <Drawer title={editing === "new" ? "Add route" : "Edit route"} open={editing !== null} onClose={close}>
        {editing === null ? null : !receivers ? (
          receiverQuery.error ? (
            <ErrorState error={receiverQuery.error} retry={() => void receiverQuery.refetch()} />
          ) : (
            <SkeletonRows rows={4} />
          )
        ) : receivers.length === 0 ? (
          <EmptyState title="No receivers">
            <p>A route needs a receiver. Add a receiver first.</p>
            <Link to="/alerts/receivers" className="text-text underline underline-offset-2">
              Go to receivers
            </Link>
          </EmptyState>
        ) : (
          <RouteForm
            before={editing === "new" ? null : editing}
            receivers={receivers}
            routes={routes ?? []}
            onDone={close}
          />
        )}
      </Drawer>
    </Card>
  );
}
