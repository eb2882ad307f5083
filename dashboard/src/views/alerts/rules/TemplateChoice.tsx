import type { Draft, Template } from "./ruleDraft";
import { templateDraft } from "./ruleDraft";

const TEMPLATES: readonly { value: Template; title: string; about: string }[] = [
  {
    value: "negative",
    title: "Sentiment turns negative",
    about: "More than half of the posts are negative",
  },
  { value: "surge", title: "Unusually many posts", about: "Many more posts than usual at this time" },
  { value: "silence", title: "Posts stop arriving", about: "No posts for half an hour" },
];

interface TemplateChoiceProps {
  draft: Draft;
  onChange: (part: Partial<Draft>) => void;
}

/** Starts a rule from a template. The scope does not change. */
export function TemplateChoice({ draft, onChange }: TemplateChoiceProps) {
  const choose = (template: Template) => {
    const { scopeKind: _, scopeName: __, groupBy: ___, ...rest } = templateDraft(template);
    onChange(rest);
  };
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 text-xs text-quiet">Start with</legend>
      {TEMPLATES.map(({ value, title, about }) => (
        <button
          key={value}
          type="button"
          aria-pressed={templateDraft(value).kind === draft.kind}
          onClick={() => choose(value)}
          className="rounded-md border border-border px-3 py-2 text-left text-sm transition-colors duration-150 hover:border-strong aria-pressed:border-strong aria-pressed:bg-raised"
        >
          <span className="block font-medium">{title}</span>
          <span className="text-xs text-quiet">{about}</span>
        </button>
      ))}
    </fieldset>
  );
}
