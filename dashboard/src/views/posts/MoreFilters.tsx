import { X } from "lucide-react";
import { languageName } from "@/lib/languages";
import { useAuthorName } from "@/posts/useAuthorName";
import { useView } from "@/shell/useView";
import { Button } from "@/ui/Button";
import { Choice } from "@/ui/Choice";

const CONFIDENCES = [
  { value: "0", label: "Any" },
  { value: "0.6", label: "≥ 0.6" },
  { value: "0.8", label: "≥ 0.8" },
  { value: "0.9", label: "≥ 0.9" },
] as const;

/** Filters that apply to the list of posts only. */
export function MoreFilters() {
  const { search, change } = useView();
  const known = CONFIDENCES.find(({ value }) => Number(value) === (search.min ?? 0));
  return (
    <>
      {search.author && (
        <AuthorFilter author={search.author} onRemove={() => change({ author: undefined })} />
      )}
      {search.lang && (
        <Removable
          what="language"
          value={languageName(search.lang)}
          onRemove={() => change({ lang: undefined })}
        />
      )}
      <span className="hidden items-center gap-2 text-xs text-quiet sm:flex">
        Confidence
        <Choice
          label="Minimum confidence"
          value={known?.value ?? null}
          options={CONFIDENCES}
          onChange={(value) => change({ min: Number(value) || undefined })}
        />
      </span>
    </>
  );
}

function AuthorFilter({ author, onRemove }: { author: string; onRemove: () => void }) {
  return <Removable what="author" value={useAuthorName(author)} onRemove={onRemove} />;
}

/** A filter that this view cannot set, for example an author. A click removes the filter. */
function Removable({ what, value, onRemove }: { what: string; value: string; onRemove: () => void }) {
  return (
    <Button onClick={onRemove} aria-label={`Remove the ${what} filter ${value}`}>
      <span className="max-w-40 truncate">
        <span className="capitalize">{what}</span> <bdi className="font-medium">{value}</bdi>
      </span>
      <X size={14} aria-hidden="true" />
    </Button>
  );
}
