import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { keys } from "@/api/keys";
import { saveRule } from "@/api/rules";
import { addSource } from "@/api/sources";
import { addTopic } from "@/api/topics";
import { slugOf } from "@/lib/slug";
import { useDebounced } from "@/lib/useDebounced";
import { buttonClass } from "@/ui/Button";
import { CheckBox } from "@/ui/CheckBox";
import { FailureNote } from "@/ui/ConfirmButton";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { inputClass } from "@/ui/Input";
import { useSave } from "@/ui/useSave";
import { ruleOf, templateDraft } from "../alerts/rules/ruleDraft";
import { brandQuery } from "./brand";
import { PLACES, type Place, sourceFor } from "./brandSources";
import { Preview } from "./Preview";
import { usePreview } from "./usePreview";

/** What to create for a brand: a topic, and optionally rules and sources. */
interface Wish {
  name: string;
  alerts: boolean;
  places: readonly Place[];
}

/** What was created. Rules and sources can fail after the topic was added. */
interface Made {
  topic: string;
  sources: readonly string[];
  /** What could not be added, and why. */
  failures: readonly { what: string; reason: unknown }[];
}

/** Follows a brand in one step: a topic, two rules and the sources of its posts. */
export function FollowBrand({ onDone }: { onDone: () => void }) {
  const [name, setName] = useState("");
  const [alerts, setAlerts] = useState(true);
  const [places, setPlaces] = useState<readonly Place[]>(["bluesky", "news"]);
  const [made, setMade] = useState<Made | null>(null);
  const settled = useDebounced(name.trim(), 400);
  const preview = usePreview(settled === "" ? "" : brandQuery(settled));
  const save = useSave({
    save: () => follow({ name: name.trim(), alerts, places }),
    invalidates: [keys.topics.all, keys.rules.all, keys.feeds.all],
    onDone: setMade,
  });
  if (made) return <Followed name={name.trim()} alerts={alerts} made={made} />;
  return (
    <form onSubmit={save.submit} className="flex flex-col gap-4">
      <Field
        label="Brand, product or person"
        hint="Finds posts with the name or its hashtag. The query can be refined later."
        error={fieldError(save.error, "name") ?? fieldError(save.error, "query")}
      >
        {(ids) => (
          <input
            {...ids}
            value={name}
            maxLength={64}
            placeholder="Acme Phone"
            onChange={(event) => setName(event.target.value)}
            className={inputClass}
            required
          />
        )}
      </Field>
      <Preview preview={preview} />
      <fieldset className="flex flex-col gap-3 text-sm">
        <legend className="mb-1 text-xs text-quiet">Collect posts from</legend>
        {PLACES.map(({ value, name: place, about }) => (
          <CheckBox
            key={value}
            checked={places.includes(value)}
            onChange={(on) => setPlaces(on ? [...places, value] : places.filter((one) => one !== value))}
          >
            {place} <span className="text-quiet">({about})</span>
          </CheckBox>
        ))}
      </fieldset>
      <CheckBox checked={alerts} onChange={setAlerts}>
        Alert me when sentiment turns negative or posts surge
      </CheckBox>
      <FormError error={save.error} fields={["name", "query"]} />
      <FormButtons submit="Follow" pending={save.pending} disabled={slugOf(name) === ""} onCancel={onDone} />
    </form>
  );
}

async function follow({ name, alerts, places }: Wish): Promise<Made> {
  const { name: topic } = await addTopic({
    name: slugOf(name),
    query: brandQuery(name),
    description: `Posts about ${name}`,
    backfill: true,
  });
  const rules: PromiseSettledResult<unknown>[] = [];
  for (const template of alerts ? (["negative", "surge"] as const) : []) {
    const draft = templateDraft(template);
    const rule = { ...draft, name: `${name}: ${draft.name}`, scopeKind: "topic", scopeName: topic } as const;
    rules.push(...(await Promise.allSettled([saveRule(ruleOf(rule), null)])));
  }
  const added = await Promise.allSettled(places.map((place) => addSource(sourceFor(place, name))));
  return {
    topic,
    sources: added.flatMap((one) => (one.status === "fulfilled" ? [one.value.name] : [])),
    failures: [...firstFailure("An alert rule", rules), ...firstFailure("A source", added)],
  };
}

function firstFailure(what: string, results: readonly PromiseSettledResult<unknown>[]): Made["failures"] {
  const failed = results.find((one) => one.status === "rejected");
  return failed ? [{ what, reason: failed.reason }] : [];
}

function Followed({
  name,
  alerts,
  made: { topic, sources, failures },
}: {
  name: string;
  alerts: boolean;
  made: Made;
}) {
  return (
    <div className="flex flex-col gap-4 text-sm">
      <p role="status">
        <span aria-hidden="true" className="mr-1.5 text-positive">
          ▲
        </span>
        You follow {name}. Stored posts are being matched.
      </p>
      {sources.length > 0 && <p>New posts come from {sources.join(", ")}.</p>}
      {failures.map(({ what, reason }) => (
        <div key={what}>
          <p>{what} could not be added.</p>
          <FailureNote error={reason} />
        </div>
      ))}
      <div className="flex flex-wrap gap-2">
        <Link to="/" search={{ topic }} className={buttonClass("solid")}>
          Open overview
        </Link>
        {alerts && (
          <Link to="/alerts/rules" className={buttonClass()}>
            View rules
          </Link>
        )}
        <Link to="/sources" className={buttonClass()}>
          {sources.length > 0 ? "View sources" : "Add a source"}
        </Link>
      </div>
    </div>
  );
}
