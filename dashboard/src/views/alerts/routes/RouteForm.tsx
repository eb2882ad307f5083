import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { keys } from "@/api/keys";
import { getMuteTimings, saveRoute } from "@/api/notify";
import type { Receiver, Route } from "@/api/types";
import { CheckBox } from "@/ui/CheckBox";
import { DurationField } from "@/ui/DurationField";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { inputClass } from "@/ui/Input";
import { SelectInput } from "@/ui/SelectInput";
import { useSave } from "@/ui/useSave";
import { MatcherInputs } from "../silences/MatcherInputs";
import { type Draft, draftOf, parentsOf, routeOf } from "./routeDraft";

const FIELDS = [
  ...["name", "receiver", "position", "matchers", "group_by", "group_wait", "group_interval"],
  ...["repeat_interval", "mute_timings", "active_timings", "parent"],
];

interface RouteFormProps {
  /** The route to edit, or `null` for a new one. */
  before: Route | null;
  receivers: readonly Receiver[];
  /** All routes, for the choice of the parent. */
  routes: readonly Route[];
  onDone: () => void;
}

const TOP = { value: "", label: "None (top level)" };

/** The form of a route. */
export function RouteForm({ before, receivers, routes, onDone }: RouteFormProps) {
  const [draft, setDraft] = useState(() => draftOf(before, receivers));
  const change = (part: Partial<Draft>) => setDraft((old) => ({ ...old, ...part }));
  const save = useSave({
    save: () => saveRoute(routeOf(draft, before), before),
    invalidates: [keys.routes.all],
    onDone,
  });
  const text = (key: "name" | "position" | "groupBy", field: string, label: string, hint: string) => (
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
  const span = (
    key: "groupWait" | "groupInterval" | "repeatInterval",
    field: string,
    label: string,
    presets: readonly string[],
  ) => (
    <DurationField
      label={label}
      value={draft[key]}
      presets={presets}
      onChange={(value) => change({ [key]: value })}
      error={fieldError(save.error, field)}
    />
  );
  const names = receivers.map(({ name }) => name);
  // The route may refer to a receiver that was removed.
  const options = names.includes(draft.receiver) ? names : [draft.receiver, ...names];
  const possible = parentsOf(before, routes);
  const parents =
    draft.parent === "" || possible.includes(draft.parent) ? possible : [draft.parent, ...possible];
  return (
    <form onSubmit={save.submit} className="flex flex-col gap-4">
      {text(
        "name",
        "name",
        "Name",
        before ? "The name cannot be changed." : "Short and unique, for example critical-to-on-call",
      )}
      <MatcherInputs
        optional
        matchers={draft.matchers}
        onChange={(matchers) => change({ matchers })}
        error={fieldError(save.error, "matchers")}
      />
      {draft.matchers.length === 0 && (
        <p className="-mt-2 text-xs text-quiet">
          {draft.parent === ""
            ? "The default route: matches all alerts that no other route matches."
            : "Matches all alerts of the parent route."}
        </p>
      )}
      <Field label="Receiver" error={fieldError(save.error, "receiver")}>
        {(ids) => (
          <SelectInput
            {...ids}
            value={draft.receiver}
            options={options.map((value) => ({ value, label: value }))}
            onChange={(receiver) => change({ receiver })}
          />
        )}
      </Field>
      <Field
        label="Parent route"
        hint="An alert of the parent route goes to the first matching child route."
        error={fieldError(save.error, "parent")}
      >
        {(ids) => (
          <SelectInput
            {...ids}
            value={draft.parent}
            options={[TOP, ...parents.map((value) => ({ value, label: value }))]}
            onChange={(parent) => change({ parent })}
          />
        )}
      </Field>
      <CheckBox checked={draft.continues} onChange={(continues) => change({ continues })}>
        Also try the next routes
      </CheckBox>
      <div className="grid grid-cols-2 gap-3">
        {text("position", "position", "Position", "Lower positions match first")}
        {text("groupBy", "group_by", "Group by", "Labels, for example alertname, source")}
      </div>
      {span("groupWait", "group_wait", "First message after", ["0s", "30s", "1min", "5min"])}
      {span("groupInterval", "group_interval", "Updates at most every", ["1min", "5min", "15min"])}
      {span("repeatInterval", "repeat_interval", "Reminder every", ["1h", "4h", "12h", "1d"])}
      <TimingChoice
        legend="Quiet hours: send nothing during"
        chosen={draft.muteTimings}
        onChange={(muteTimings) => change({ muteTimings })}
        error={fieldError(save.error, "mute_timings")}
      />
      <TimingChoice
        legend="Active hours: send only during"
        chosen={draft.activeTimings}
        onChange={(activeTimings) => change({ activeTimings })}
        error={fieldError(save.error, "active_timings")}
      />
      <FormError error={save.error} fields={FIELDS} />
      <FormButtons submit={before ? "Save" : "Add"} pending={save.pending} onCancel={onDone} />
    </form>
  );
}

interface TimingChoiceProps {
  legend: string;
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
  error: string | undefined;
}

/** Chooses among the mute timings. */
function TimingChoice({ legend, chosen, onChange, error }: TimingChoiceProps) {
  const query = useQuery({ queryKey: keys.muteTimings.all, queryFn: ({ signal }) => getMuteTimings(signal) });
  // The route may refer to a timing that was removed.
  const names = [...new Set([...(query.data ?? []).map(({ name }) => name), ...chosen])];
  if (names.length === 0) return null;
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 text-xs text-quiet">{legend}</legend>
      {names.map((name) => (
        <CheckBox
          key={name}
          checked={chosen.includes(name)}
          onChange={(on) => onChange(on ? [...chosen, name] : chosen.filter((other) => other !== name))}
        >
          {name}
        </CheckBox>
      ))}
      {error && <p className="text-xs">▼ {error}</p>}
    </fieldset>
  );
}
