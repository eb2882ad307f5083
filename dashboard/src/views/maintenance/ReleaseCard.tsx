import { type ReleaseNotes, useReleaseQuery } from "@/api/maintenance";
import { Card } from "@/ui/Card";
import { ErrorState, SkeletonRows } from "@/ui/states";

/** The number of changes that are shown at first. */
const FIRST = 5;

/** The version and its release notes. */
export function ReleaseCard() {
  const query = useReleaseQuery();
  return (
    <Card
      title="Release notes"
      {...(query.data && { note: `version ${query.data.version}` })}
      className="lg:col-span-2"
    >
      {query.data ? (
        <Notes notes={query.data} />
      ) : query.error ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : (
        <SkeletonRows rows={3} />
      )}
    </Card>
  );
}

function Notes({ notes: { title, groups } }: { notes: ReleaseNotes }) {
  return (
    <div className="flex max-w-[110ch] flex-col gap-4 text-sm">
      <p className="text-quiet">{title === "Unreleased" ? "Changes since the last release." : title}</p>
      {groups.map(({ kind, changes }) => (
        <section key={kind} aria-label={kind}>
          <h3 className="mb-1 font-medium">{kind}</h3>
          <Changes changes={changes.slice(0, FIRST)} />
          {changes.length > FIRST && (
            <details>
              <summary className="mt-1 text-quiet">{changes.length - FIRST} more</summary>
              <Changes changes={changes.slice(FIRST)} />
            </details>
          )}
        </section>
      ))}
    </div>
  );
}

function Changes({ changes }: { changes: readonly string[] }) {
  return (
    <ul className="mt-1 flex list-outside list-disc flex-col gap-1 pl-5 text-quiet">
      {changes.map((change) => (
        <li key={change} className="[overflow-wrap:anywhere]">
          <Inline text={change} />
        </li>
      ))}
    </ul>
  );
}

/** A text with `code` in backticks. Links point to files of the repository, so only their texts are shown. */
function Inline({ text }: { text: string }) {
  return text
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .split("`")
    .map((part, index) =>
      index % 2 === 1 ? (
        // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a text do not move
        <code key={index} className="font-mono text-xs text-text">
          {part}
        </code>
      ) : (
        part
      ),
    );
}
