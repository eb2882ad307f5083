import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { getMuteTimings, saveRoute } from "@/api/notify";
import type { Receiver, Route } from "@/api/types";
import { Button } from "@/ui/Button";
import { Field, FormError, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { SelectInput } from "@/ui/SelectInput";
import { MatcherInputs } from "../silences/MatcherInputs";
import { type Draft, draftOf, routeOf } from "./routeDraft";

const FIELDS = [
  ...["name", "receiver", "position", "matchers", "group_by", "group_wait", "group_interval"],
  ...["repeat_interval", "mute_timings"],
];

interface RouteFormProps {
  /** The route that is changed; a new one otherwise. */
  before: Route | null;
  receivers: readonly Receiver[];
  onDone: () => void;
}

/** Says which alerts go to whom. */
export function RouteForm({ before, receivers, onDone }: RouteFormProps) {
  const queries = useQueryClient();
  const [draft, setDraft] = useState(() => draftOf(before, receivers));
  const change = (part: Partial<Draft>) => setDraft((old) => ({ ...old, ...part }));
  const save = useMutation({
    mutationFn: () => saveRoute(routeOf(draft), before),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["routes"] });
      void queries.invalidateQueries({ queryKey: ["route-preview"] });
      onDone();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  const text = (
    key: "name" | "position" | "groupBy" | "groupWait" | "groupInterval" | "repeatInterval",
    field: string,
    label: string,
    hint: string,
  ) => (
    <Field label={label} hint={hint} error={fieldError(save.error, field)}>
      {(ids) => (
        <input
          {...ids}
          {...(key === "position" ? { type: "number", step: 1 } : {})}
          value={draft[key]}
          maxLength={200}
          disabled={key === "name" && before !== null}
          onChange={(event) => change({ [key]: event.target.value })}
          className={`${inputClass} tabular`}
          required={key !== "groupBy"}
        />
      )}
    </Field>
  );
  const names = receivers.map(({ name }) => name);
  // One that was removed since still stands in the route.
  const options = names.includes(draft.receiver) ? names : [draft.receiver, ...names];
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      {text(
        "name",
        "name",
        "Name",
        before ? "A name is kept for good." : "Short and unique, as critical-to-on-call",
      )}
      <MatcherInputs
        optional
        matchers={draft.matchers}
        onChange={(matchers) => change({ matchers })}
        error={fieldError(save.error, "matchers")}
      />
      {draft.matchers.length === 0 && (
        <p className="-mt-2 text-xs text-quiet">It takes every alert that no other route takes.</p>
      )}
      <Field label="Go to" error={fieldError(save.error, "receiver")}>
        {(ids) => (
          <SelectInput
            {...ids}
            value={draft.receiver}
            options={options.map((value) => ({ value, label: value }))}
            onChange={(receiver) => change({ receiver })}
          />
        )}
      </Field>
      <Check checked={draft.goesOn} onChange={(goesOn) => change({ goesOn })}>
        Then try the routes after it, too
      </Check>
      <div className="grid grid-cols-2 gap-3">
        {text("position", "position", "Position", "Lower ones are tried first")}
        {text("groupBy", "group_by", "Together by", "Labels, as alertname, source")}
        {text("groupWait", "group_wait", "First message after", "Waits for others")}
        {text("groupInterval", "group_interval", "Changes at most every", "As 5min, 1h")}
        {text("repeatInterval", "repeat_interval", "Again after", "While it fires")}
      </div>
      <MuteChoice draft={draft} onChange={change} error={fieldError(save.error, "mute_timings")} />
      <FormError error={save.error} fields={FIELDS} />
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" look="solid" disabled={save.isPending}>
          {before ? "Save" : "Add"}
        </Button>
      </div>
    </form>
  );
}

interface MuteChoiceProps {
  draft: Draft;
  onChange: (part: Partial<Draft>) => void;
  error: string | undefined;
}

/** In which hours nobody is told. */
function MuteChoice({ draft, onChange, error }: MuteChoiceProps) {
  const query = useQuery({ queryKey: ["mute-timings"], queryFn: ({ signal }) => getMuteTimings(signal) });
  const timings = query.data ?? [];
  if (timings.length === 0) return null;
  const chosen = draft.muteTimings;
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 text-xs text-quiet">Nobody is told in</legend>
      {timings.map(({ name }) => (
        <Check
          key={name}
          checked={chosen.includes(name)}
          onChange={(on) =>
            onChange({ muteTimings: on ? [...chosen, name] : chosen.filter((other) => other !== name) })
          }
        >
          {name}
        </Check>
      ))}
      {error && <p className="text-xs">▼ {error}</p>}
    </fieldset>
  );
}

interface CheckProps {
  checked: boolean;
  onChange: (checked: boolean) => void;
  children: string;
}

function Check({ checked, onChange, children }: CheckProps) {
  return (
    <label className="flex items-center gap-2 text-sm [overflow-wrap:anywhere]">
      <input
        type="checkbox"
        checked={checked}
        onChange={(event) => onChange(event.target.checked)}
        className="size-4 shrink-0 accent-(--color-focus)"
      />
      {children}
    </label>
  );
}
