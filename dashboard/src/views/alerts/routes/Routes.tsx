import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useState } from "react";
import { getReceivers, getRoutes } from "@/api/notify";
import type { Route } from "@/api/types";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Drawer } from "@/ui/Drawer";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { AlertTabs } from "../AlertTabs";
import { MuteTimings } from "./MuteTimings";
import { RouteForm } from "./RouteForm";
import { RouteRow } from "./RouteRow";
import { inOrder } from "./routeDraft";
import { TryRoutes } from "./TryRoutes";

/** What is open in the drawer: a new route, one that is changed, or nothing. */
type Editing = Route | "new" | null;

/** Which alerts go to which receivers, and when nobody is told. */
export function Routes() {
  return (
    <>
      <AlertTabs />
      <div className="grid grid-cols-1 items-start gap-4 xl:grid-cols-[minmax(0,1fr)_24rem]">
        <div className="flex min-w-0 flex-col gap-4">
          <RouteList />
          <MuteTimings />
        </div>
        <TryRoutes />
      </div>
    </>
  );
}

function RouteList() {
  const [editing, setEditing] = useState<Editing>(null);
  const query = useQuery({ queryKey: ["routes"], queryFn: ({ signal }) => getRoutes(signal) });
  const receivers = useQuery({ queryKey: ["receivers"], queryFn: ({ signal }) => getReceivers(signal) }).data;
  const routes = query.data && inOrder(query.data);
  const close = () => setEditing(null);
  return (
    <Card
      title="Routes"
      note="the first that matches takes an alert"
      action={
        <Button onClick={() => setEditing("new")}>
          <Plus size={14} aria-hidden="true" />
          Add a route
        </Button>
      }
    >
      {query.error && !routes ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : !routes ? (
        <SkeletonRows rows={3} />
      ) : routes.length === 0 ? (
        <EmptyState title="Alerts go nowhere">
          <p>
            Without a route alerts are only on the dashboard. A route without conditions takes all of them.
          </p>
        </EmptyState>
      ) : (
        <ol className="-mx-4 -mb-4 border-t border-border text-sm">
          {routes.map((route) => (
            <RouteRow
              key={route.id}
              route={route}
              deadEnd={receivers !== undefined && !receivers.some(({ name }) => name === route.receiver)}
              onEdit={() => setEditing(route)}
            />
          ))}
        </ol>
      )}
      <Drawer
        title={editing === "new" ? "Add a route" : "Change the route"}
        open={editing !== null}
        onClose={close}
      >
        {editing !== null && receivers?.length === 0 ? (
          <EmptyState title="There is no receiver yet">
            <p>A route leads to a receiver. Add one first, and send it a test.</p>
            <Link to="/alerts/receivers" className="text-text underline underline-offset-2">
              Go to the receivers
            </Link>
          </EmptyState>
        ) : (
          editing !== null &&
          receivers && (
            <RouteForm before={editing === "new" ? null : editing} receivers={receivers} onDone={close} />
          )
        )}
      </Drawer>
    </Card>
  );
}
