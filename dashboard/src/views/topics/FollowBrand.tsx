import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { keys } from "@/api/keys";
import { saveRule } from "@/api/rules";
import { addTopic } from "@/api/topics";
import type { Topic } from "@/api/types";
import { slugOf } from "@/lib/slug";
import { useDebounced } from "@/lib/useDebounced";
import { ConnectSource } from "@/shell/ConnectSource";
import { buttonClass } from "@/ui/Button";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { inputClass } from "@/ui/Input";
import { useSave } from "@/ui/useSave";
import { ruleOf, templateDraft } from "../alerts/rules/ruleDraft";
import { brandQuery } from "./brand";
import { Preview } from "./Preview";
import { usePreview } from "./usePreview";

/** Follows a brand in one step: a topic, two rules and the settings of a source. */
export function FollowBrand({ onDone }: { onDone: () => void }) {
  const [name, setName] = useState("");
  const [alerts, setAlerts] = useState(true);
  const [topic, setTopic] = useState<Topic | null>(null);
  const settled = useDebounced(name.trim(), 400);
  const preview = usePreview(settled === "" ? "" : brandQuery(settled));
  const save = useSave({
    save: () => follow(name.trim(), alerts),
    invalidates: [keys.topics.all, keys.rules.all],
    onDone: setTopic,
  });
  if (topic) return <Followed name={name.trim()} topic={topic} />;
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
      <label className="flex items-center gap-2 text-sm">
        <input
          type="checkbox"
          checked={alerts}
          onChange={(event) => setAlerts(event.target.checked)}
          className="size-4 accent-(--color-focus)"
        />
        Alert me when sentiment turns negative or posts surge
      </label>
      <FormError error={save.error} fields={["name", "query"]} />
      <FormButtons submit="Follow" pending={save.pending} disabled={slugOf(name) === ""} onCancel={onDone} />
    </form>
  );
}

async function follow(name: string, alerts: boolean): Promise<Topic> {
  const topic = await addTopic({
    name: slugOf(name),
    query: brandQuery(name),
    description: `Posts about ${name}`,
    backfill: true,
  });
  if (!alerts) return topic;
  for (const template of ["negative", "surge"] as const) {
    const draft = templateDraft(template);
    const rule = {
      ...draft,
      name: `${name}: ${draft.name}`,
      scopeKind: "topic",
      scopeName: topic.name,
    } as const;
    await saveRule(ruleOf(rule), null);
  }
  return topic;
}

function Followed({ name, topic }: { name: string; topic: Topic }) {
  return (
    <div className="flex flex-col gap-4 text-sm">
      <p role="status">
        <span aria-hidden="true" className="mr-1.5 text-positive">
          ▲
        </span>
        You follow {name}. Stored posts are being matched.
      </p>
      <div className="flex flex-wrap gap-2">
        <Link to="/" search={{ topic: topic.name }} className={buttonClass("solid")}>
          Open overview
        </Link>
        <Link to="/alerts/rules" className={buttonClass()}>
          View rules
        </Link>
      </div>
      <section>
        <h3 className="mb-2 text-base font-medium">Collect more posts about {name}</h3>
        <ConnectSource subject={name} />
      </section>
    </div>
  );
}
