import { useQuery } from "@tanstack/react-query";
import { useLocation, useNavigate } from "@tanstack/react-router";
import { BellOff, Plus } from "lucide-react";
import { useState } from "react";
import { keys } from "@/api/keys";
import { getSilences } from "@/api/notify";
import type { Matcher, Silence } from "@/api/types";
import { readQuery } from "@/lib/search";
import { useNow } from "@/lib/useNow";
import { Allowed } from "@/shell/Allowed";
import { keepFilters } from "@/shell/keepFilters";
import { ReadOnlyNote } from "@/shell/ReadOnlyNote";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Drawer } from "@/ui/Drawer";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { AlertTabs } from "../AlertTabs";
import { readMatchers } from "./matcherText";
import { SilenceForm } from "./SilenceForm";
import { SilenceRow } from "./SilenceRow";

/** The content of the drawer: a silence, the form of a new one, or `null` while it is closed. */
type Editing = Silence | "new" | null;

/** The silences view. */
export function Silences() {
  const linked = useLinkedMatchers();
  const [editing, setEditing] = useState<Editing>(linked.given ? "new" : null);
  const query = useQuery({ queryKey: keys.silences.all, queryFn: ({ signal }) => getSilences(signal) });
  const silences = query.data;
  const lasting = silences?.filter(({ state }) => state !== "expired") ?? [];
  const ended = silences?.filter(({ state }) => state === "expired") ?? [];
  const close = () => {
    setEditing(null);
    linked.clear();
  };
  return (
    <>
      <AlertTabs />
      {linked.given && !linked.matchers && (
        <p role="alert" className="mb-4 text-sm">
          ▼ The link has conditions that cannot be read. Enter the conditions in the form.
        </p>
      )}
      <div className="flex flex-col gap-4">
        <Card
          title="Silences"
          {...(lasting.length > 0 ? { note: `${lasting.length} active or scheduled` } : {})}
          action={
            <Allowed scope="respond">
              <Button onClick={() => setEditing("new")}>
                <Plus size={14} aria-hidden="true" />
                Add silence
              </Button>
            </Allowed>
          }
        >
          <ReadOnlyNote scope="respond" what="silences" />
          {query.error && !silences ? (
            <ErrorState error={query.error} retry={() => void query.refetch()} />
          ) : !silences ? (
            <SkeletonRows rows={3} />
          ) : lasting.length === 0 ? (
            <EmptyState title="No silences">
              <p>Silence expected alerts during planned work. Silenced alerts send no notifications.</p>
              <BellOff size={20} aria-hidden="true" />
            </EmptyState>
          ) : (
            <Rows silences={lasting} onEdit={setEditing} />
          )}
        </Card>
        {ended.length > 0 && (
          <Card title="Ended" note="kept for 30 days">
            <Rows silences={ended} onEdit={setEditing} />
          </Card>
        )}
      </div>
      <Drawer
        title={editing === "new" ? "Add silence" : "Edit silence"}
        open={editing !== null}
        onClose={close}
      >
        {editing !== null && (
          <SilenceForm
            before={editing === "new" ? null : editing}
            {...(linked.matchers ? { matchers: linked.matchers } : {})}
            onDone={close}
          />
        )}
      </Drawer>
    </>
  );
}

interface LinkedMatchers {
  /** Whether the link has conditions. */
  given: boolean;
  /** The conditions, or `null` if they cannot be read. */
  matchers: Matcher[] | null;
  /** Removes the conditions from the URL. */
  clear: () => void;
}

/** The conditions in the URL of a notification's link: `?matchers=alertname="Acme"`. */
function useLinkedMatchers(): LinkedMatchers {
  const navigate = useNavigate();
  const text = useLocation({ select: ({ searchStr }) => readQuery(searchStr).matchers });
  const given = typeof text === "string" && text !== "";
  return {
    given,
    matchers: given ? readMatchers(text) : null,
    clear: () => {
      if (given) void navigate({ to: ".", search: keepFilters, replace: true });
    },
  };
}

function Rows({ silences, onEdit }: { silences: readonly Silence[]; onEdit: (silence: Silence) => void }) {
  const now = useNow(10_000);
  return (
    <ul className="-mx-4 -mb-4 border-t border-border text-sm">
      {silences.map((silence) => (
        <SilenceRow key={silence.id} silence={silence} now={now} onEdit={() => onEdit(silence)} />
      ))}
    </ul>
  );
}
