import { type MigrationList, useMigrationsQuery } from "@/api/maintenance";
import { exact, plural } from "@/lib/format";
import { Card } from "@/ui/Card";
import { ErrorState, SkeletonRows } from "@/ui/states";
import { Fact, Facts } from "../system/Facts";

/** The state of the database's schema. */
export function MigrationsCard() {
  const query = useMigrationsQuery();
  return (
    <Card title="Database schema">
      {query.data ? (
        <Schema list={query.data} />
      ) : query.error ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : (
        <SkeletonRows rows={3} />
      )}
    </Card>
  );
}

function Schema({ list: { database, applied, pending } }: { list: MigrationList }) {
  const latest = applied.at(-1);
  const newer = applied.filter(({ known }) => !known);
  return (
    <>
      <Facts>
        <Fact name="Database">{database}</Fact>
        <Fact name="State">
          {pending.length > 0
            ? `${plural(pending.length, "migration")} pending: restart the server, or run sentistream migrate`
            : newer.length > 0
              ? "migrated by a newer release, compatible with this one"
              : "up to date"}
        </Fact>
        {latest && (
          <Fact name="Last migration">
            <span title={exact(latest.ran_at)}>{latest.name}</span>
          </Fact>
        )}
      </Facts>
      <details className="mt-3 text-sm">
        <summary className="text-quiet">{plural(applied.length, "migration")} applied</summary>
        <ol className="mt-2 flex flex-col gap-1 text-xs">
          {[...applied].reverse().map(({ name, ran_at, known }) => (
            <li key={name} className="flex flex-wrap justify-between gap-x-4">
              <span className="[overflow-wrap:anywhere]">
                {name}
                {!known && " (from a newer release)"}
              </span>
              <span className="tabular text-quiet">{exact(ran_at)}</span>
            </li>
          ))}
        </ol>
      </details>
      {pending.length > 0 && (
        <ul className="mt-3 list-inside list-disc text-xs">
          {pending.map((name) => (
            <li key={name}>{name}</li>
          ))}
        </ul>
      )}
    </>
  );
}
