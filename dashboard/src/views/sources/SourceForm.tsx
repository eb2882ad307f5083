import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { keys } from "@/api/keys";
import { addSource, changeSource, recognizeSource, testSource } from "@/api/sources";
import type { ManagedSource, SourceKind } from "@/api/types";
import { slugOf } from "@/lib/slug";
import { Button } from "@/ui/Button";
import { FailureNote } from "@/ui/ConfirmButton";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { inputClass } from "@/ui/Input";
import { SelectInput } from "@/ui/SelectInput";
import { useSave } from "@/ui/useSave";
import { SourceFields } from "./SourceFields";
import { TrialResult } from "./TrialResult";
import { requestOf, type Values, valuesOf } from "./values";
import { WebhookFields } from "./WebhookFields";

/** The kind of source that other programs send posts to. */
const WEBHOOK = "webhook";

interface SourceFormProps {
  kinds: readonly SourceKind[];
  /** The source to edit, or `null` for a new one. */
  before: ManagedSource | null;
  onDone: () => void;
}

/** The form of a source. A new source is chosen by its address or its kind. A test reads posts and saves nothing. */
export function SourceForm({ kinds, before, onDone }: SourceFormProps) {
  const [kindName, setKindName] = useState(before?.kind ?? kinds[0]?.kind ?? "");
  const kind = kinds.find((one) => one.kind === kindName);
  const [name, setName] = useState(before?.name ?? "");
  const [values, setValues] = useState<Values>(() => (kind ? valuesOf(kind, before?.settings ?? {}) : {}));
  const choose = (next: SourceKind, settings: Record<string, unknown>) => {
    setKindName(next.kind);
    setValues(valuesOf(next, settings));
    trial.reset();
  };
  const request = () => {
    if (!kind) throw new Error("the form needs a kind of source");
    return requestOf(before?.name ?? slugOf(name || kind.kind), kind, values);
  };
  const [sample, setSample] = useState("");
  const isWebhook = kind?.kind === WEBHOOK;
  const trial = useMutation({
    mutationFn: () => testSource(isWebhook ? { ...request(), sample } : request()),
  });
  const save = useSave({
    save: () => (before ? changeSource(request(), before.version) : addSource(request())),
    invalidates: [keys.feeds.all, keys.system.all, keys.sources.all],
    onDone,
  });
  if (!kind) return null;
  const error = save.error ?? trial.error;
  return (
    <form onSubmit={save.submit} className="flex flex-col gap-4">
      {!before && (
        <Address
          onFound={(found) => {
            const next = kinds.find((one) => one.kind === found.kind);
            if (!next) return;
            setName(found.name);
            choose(next, found.settings ?? {});
          }}
        />
      )}
      {!before && (
        <Field label="Kind" hint={kind.about}>
          {(ids) => (
            <SelectInput
              {...ids}
              value={kindName}
              options={kinds.map((one) => ({ value: one.kind, label: one.title }))}
              onChange={(next) => {
                const found = kinds.find((one) => one.kind === next);
                if (found) choose(found, {});
              }}
            />
          )}
        </Field>
      )}
      <Field
        label="Name"
        hint={before ? "The name cannot be changed." : "Shown in lists and filters"}
        error={fieldError(error, "name")}
      >
        {(ids) => (
          <input
            {...ids}
            value={name}
            maxLength={64}
            disabled={before !== null}
            placeholder={kind.kind}
            onChange={(event) => setName(event.target.value)}
            className={inputClass}
          />
        )}
      </Field>
      <SourceFields
        kind={kind}
        values={values}
        saved={before?.secrets ?? []}
        error={error}
        onChange={(key, value) => setValues({ ...values, [key]: value })}
      />
      {isWebhook && (
        <WebhookFields
          name={before?.name ?? slugOf(name || kind.kind)}
          values={values}
          sample={sample}
          error={error}
          onSample={setSample}
          onSecret={(secret) => setValues({ ...values, secret })}
        />
      )}
      {trial.data && !trial.isPending && <TrialResult trial={trial.data} />}
      <FormError error={error} fields={["name", "settings", "secrets", "sample"]} />
      <div className="flex flex-wrap items-center justify-between gap-2">
        <Button onClick={() => trial.mutate()} disabled={trial.isPending}>
          {trial.isPending ? "Reading some posts" : "Test"}
        </Button>
        <FormButtons
          submit={before ? "Save" : "Add source"}
          pending={save.pending || trial.isPending}
          onCancel={onDone}
        />
      </div>
    </form>
  );
}

interface Found {
  name: string;
  kind: string;
  settings?: Record<string, unknown>;
}

/** Finds the source for a pasted address. */
function Address({ onFound }: { onFound: (found: Found) => void }) {
  const [address, setAddress] = useState("");
  const search = useMutation({ mutationFn: () => recognizeSource(address), onSuccess: onFound });
  const message = fieldError(search.error, "address");
  return (
    <div className="flex flex-col gap-1">
      <Field
        label="Address"
        hint="A web page or feed, @name@instance, a Bluesky handle, r/name, a #tag, or the page of an app, a repository or a video"
        error={message}
      >
        {(ids) => (
          <span className="flex gap-2">
            <input
              {...ids}
              value={address}
              placeholder="https://blog.example.org"
              onChange={(event) => setAddress(event.target.value)}
              onKeyDown={(event) => {
                if (event.key !== "Enter") return;
                event.preventDefault();
                search.mutate();
              }}
              className={inputClass}
            />
            <Button onClick={() => search.mutate()} disabled={address.trim() === "" || search.isPending}>
              Find
            </Button>
          </span>
        )}
      </Field>
      {!message && <FailureNote error={search.error} />}
    </div>
  );
}
