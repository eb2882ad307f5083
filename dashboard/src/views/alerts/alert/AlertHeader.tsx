import { Link } from "@tanstack/react-router";
import { ArrowLeft, BellOff, Check, Link2, MessagesSquare } from "lucide-react";
import { useState } from "react";
import type { AlertDetail, Matcher } from "@/api/types";
import { exact } from "@/lib/format";
import { sentence } from "@/lib/labels";
import { keepFilters } from "@/shell/keepFilters";
import { Button, buttonClass } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { Drawer, Modal } from "@/ui/Drawer";
import { SilenceForm } from "../silences/SilenceForm";
import { alertTitle, evidence, inScope, stateText } from "../words";
import { AcknowledgeForm } from "./AcknowledgeForm";

/** The title and the actions of an alert. */
export function AlertHeader({ alert }: { alert: AlertDetail }) {
  const [open, setOpen] = useState<"acknowledge" | "silence" | null>(null);
  const close = () => setOpen(null);
  const firing = alert.state === "firing";
  const { summary, ...others } = alert.annotations ?? {};
  return (
    <header className="flex flex-col gap-3">
      <Link
        to="/alerts"
        search={keepFilters}
        className="inline-flex items-center gap-1.5 self-start text-sm text-quiet hover:text-text"
      >
        <ArrowLeft size={14} aria-hidden="true" />
        All alerts
      </Link>
      <div className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
        <div className="min-w-60 flex-1">
          <h2 className="text-xl font-semibold text-balance [overflow-wrap:anywhere]">
            {alertTitle(alert)} <span className="font-normal text-quiet">{inScope(alert.scope)}</span>
          </h2>
          <p className="mt-0.5 flex flex-wrap gap-x-3 text-sm">
            <span className={cx("font-medium", !firing && "text-quiet")}>
              <span aria-hidden="true" className={firing ? "text-negative" : "text-quiet"}>
                {stateText(alert).charAt(0)}
              </span>
              {stateText(alert).slice(1)}
            </span>
            <span className="text-quiet">{sentence(alert.severity ?? "warning")}</span>
            <span className="text-quiet">since {exact(alert.triggered_at)}</span>
          </p>
          {summary && <p className="mt-2 max-w-[90ch] [overflow-wrap:anywhere]">{summary}</p>}
          <Annotations texts={others} />
        </div>
        <div className="flex flex-wrap gap-2">
          <Link to="/posts" search={evidence(alert)} className={buttonClass()}>
            <MessagesSquare size={14} aria-hidden="true" />
            Show posts
          </Link>
          <CopyLink />
          <Button onClick={() => setOpen("silence")}>
            <BellOff size={14} aria-hidden="true" />
            Silence
          </Button>
          {firing && !alert.acknowledged && (
            <Button look="solid" onClick={() => setOpen("acknowledge")}>
              <Check size={14} aria-hidden="true" />
              Acknowledge
            </Button>
          )}
        </div>
      </div>
      {alert.acknowledged && (
        <p className="card px-4 py-2.5 text-sm">
          <span className="font-medium">
            Acknowledged by <bdi>{alert.acknowledged.by}</bdi>
          </span>{" "}
          <span className="text-quiet">since {exact(alert.acknowledged.at)}</span>
          {alert.acknowledged.note && (
            <span className="block whitespace-pre-line [overflow-wrap:anywhere]">
              {alert.acknowledged.note}
            </span>
          )}
        </p>
      )}
      <Modal title="Acknowledge this alert" open={open === "acknowledge"} onClose={close}>
        <AcknowledgeForm id={alert.id} onDone={close} />
      </Modal>
      <Drawer title="Silence alerts like this" open={open === "silence"} onClose={close}>
        {open === "silence" && <SilenceForm before={null} matchers={likeThis(alert)} onDone={close} />}
      </Drawer>
    </header>
  );
}

/** Matchers for alerts of the same rule and source. */
function likeThis({ alert_type, labels }: AlertDetail): Matcher[] {
  const matchers: Matcher[] = [{ label: "alertname", op: "=", value: labels?.alertname ?? alert_type }];
  const source = labels?.source;
  return source ? [...matchers, { label: "source", op: "=", value: source }] : matchers;
}

function Annotations({ texts }: { texts: Record<string, string> }) {
  return Object.entries(texts).map(([name, text]) => (
    <p key={name} className="mt-1 text-sm [overflow-wrap:anywhere]">
      <span className="text-quiet">{sentence(name.replaceAll("_", " "))}:</span>{" "}
      {/^https?:\/\//.test(text) ? (
        <a href={text} target="_blank" rel="noreferrer" className="underline underline-offset-2">
          {text}
        </a>
      ) : (
        text
      )}
    </p>
  ));
}

function CopyLink() {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard?.writeText(window.location.href).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 2_000);
    });
  };
  return (
    <Button onClick={copy}>
      {copied ? <Check size={14} aria-hidden="true" /> : <Link2 size={14} aria-hidden="true" />}
      {copied ? "Copied" : "Copy link"}
    </Button>
  );
}
