import { Link } from "@tanstack/react-router";
import { BellOff, Check, Link2, MessagesSquare, NotebookPen } from "lucide-react";
import { useState } from "react";
import { useSessionQuery } from "@/api/access";
import { acknowledgeAlert } from "@/api/endpoints";
import { keys } from "@/api/keys";
import { endSilence, saveSilence } from "@/api/notify";
import type { AlertDetail, Matcher, Silence } from "@/api/types";
import { HOUR } from "@/lib/range";
import { timeFormat } from "@/lib/timeFormat";
import { Allowed } from "@/shell/Allowed";
import { Button, buttonClass } from "@/ui/Button";
import { FailureNote } from "@/ui/ConfirmButton";
import { cx } from "@/ui/cx";
import { Drawer, Modal } from "@/ui/Drawer";
import { useChange } from "@/ui/useSave";
import { SilenceForm } from "../silences/SilenceForm";
import { alertTitle, evidence, isActive } from "../words";
import { AcknowledgeForm } from "./AcknowledgeForm";

const clock = timeFormat({ hour: "2-digit", minute: "2-digit" });

/** The actions on an alert. With `full`, for phones, the buttons to acknowledge and to silence take the full width. */
export function AlertActions({ alert, full = false }: { alert: AlertDetail; full?: boolean }) {
  const [open, setOpen] = useState<"note" | "silence" | null>(null);
  const acknowledge = useChange(() => acknowledgeAlert(alert.id, ""), [keys.alerts.all]);
  const close = () => setOpen(null);
  const size = full ? "h-11 w-full" : "";
  const small = full ? "h-11 flex-1" : "";
  return (
    <div className="flex flex-wrap gap-2">
      {isActive(alert) && (
        <Allowed scope="respond">
          {alert.acknowledged ? (
            <Button className={size} onClick={() => setOpen("note")}>
              <NotebookPen size={14} aria-hidden="true" />
              {alert.acknowledged.note ? "Edit note" : "Add note"}
            </Button>
          ) : (
            <Button
              look="solid"
              className={size}
              disabled={acknowledge.isPending}
              onClick={() => acknowledge.mutate()}
            >
              <Check size={14} aria-hidden="true" />
              Acknowledge
            </Button>
          )}
        </Allowed>
      )}
      <Allowed scope="respond">
        <QuickSilence alert={alert} className={size} />
        <Button className={small} onClick={() => setOpen("silence")}>
          Silence options
        </Button>
      </Allowed>
      <Link to="/posts" search={evidence(alert)} className={cx(buttonClass(), small)}>
        <MessagesSquare size={14} aria-hidden="true" />
        Show posts
      </Link>
      <CopyLink className={small} />
      <FailureNote error={acknowledge.error} />
      <Modal title="Note" open={open === "note"} onClose={close}>
        <AcknowledgeForm id={alert.id} before={alert.acknowledged?.note ?? ""} onDone={close} />
      </Modal>
      <Drawer title="Silence alerts like this" open={open === "silence"} onClose={close}>
        {open === "silence" && <SilenceForm before={null} matchers={likeThis(alert)} onDone={close} />}
      </Drawer>
    </div>
  );
}

/** Silences alerts like this for one hour, with a way to undo it. */
function QuickSilence({ alert, className }: { alert: AlertDetail; className: string }) {
  const [silence, setSilence] = useState<Silence | null>(null);
  const author = useSessionQuery().data?.user?.name ?? "dashboard";
  const add = useChange(
    () => saveSilence({ ...hourFrom(Date.now(), alert), author }, null),
    [keys.silences.all],
    setSilence,
  );
  const undo = useChange(
    () => (silence ? endSilence(silence) : Promise.resolve()),
    [keys.silences.all],
    () => setSilence(null),
  );
  return (
    <>
      {silence ? (
        <Button className={className} disabled={undo.isPending} onClick={() => undo.mutate()}>
          Silenced until {clock.format(new Date(silence.ends_at))}. Undo
        </Button>
      ) : (
        <Button className={className} disabled={add.isPending} onClick={() => add.mutate()}>
          <BellOff size={14} aria-hidden="true" />
          Silence 1 h
        </Button>
      )}
      <FailureNote error={silence ? undo.error : add.error} />
    </>
  );
}

function hourFrom(now: number, alert: AlertDetail) {
  return {
    matchers: likeThis(alert),
    starts_at: new Date(now).toISOString(),
    ends_at: new Date(now + HOUR).toISOString(),
    comment: `Silenced for one hour from the page of alert ${alert.id}, ${alertTitle(alert)}`,
  };
}

/** Matchers for alerts of the same rule and source. */
function likeThis({ alert_type, labels }: AlertDetail): Matcher[] {
  const matchers: Matcher[] = [{ label: "alertname", op: "=", value: labels?.alertname ?? alert_type }];
  const source = labels?.source;
  return source ? [...matchers, { label: "source", op: "=", value: source }] : matchers;
}

function CopyLink({ className }: { className: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard?.writeText(window.location.href).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 2_000);
    });
  };
  return (
    <Button className={className} onClick={copy}>
      {copied ? <Check size={14} aria-hidden="true" /> : <Link2 size={14} aria-hidden="true" />}
      {copied ? "Copied" : "Copy link"}
    </Button>
  );
}
