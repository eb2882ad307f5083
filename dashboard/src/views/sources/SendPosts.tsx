import { Link } from "@tanstack/react-router";
import { useSessionQuery } from "@/api/access";
import { Card } from "@/ui/Card";
import { Command } from "@/ui/states";

/** Ways to send posts without a source: over HTTP and from a file. */
export function SendPosts() {
  const kind = useSessionQuery().data?.kind;
  const needsToken = kind === "session" || kind === "token";
  const token = needsToken ? ` -H "authorization: Bearer $TOKEN"` : "";
  const http = `curl ${window.location.origin}/api/posts -H 'content-type: application/json'${token} -d '{"post_id": "1", "source": "web", "content": "Hello"}'`;
  return (
    <Card title="Send posts yourself">
      <dl className="grid grid-cols-1 gap-4 text-sm lg:grid-cols-2">
        <div className="min-w-0">
          <dt className="font-medium">HTTP</dt>
          <dd>
            <p className="mt-1 mb-2 text-quiet">
              Any program can send posts, up to 1,000 per request. See the{" "}
              <a href="/api/docs" className="text-text underline underline-offset-2">
                API documentation
              </a>
              .
              {needsToken && (
                <>
                  {" "}
                  Set <code>TOKEN</code> to one of{" "}
                  <Link to="/account" className="text-text underline underline-offset-2">
                    your API tokens
                  </Link>
                  .
                </>
              )}
            </p>
            <Command>{http}</Command>
          </dd>
        </div>
        <div className="min-w-0">
          <dt className="font-medium">File</dt>
          <dd>
            <p className="mt-1 mb-2 text-quiet">
              CSV, NDJSON, a JSON array or a spreadsheet with the columns post_id, source and content. Map
              other column names, for example with <code>--map content=text</code>. The server can run during
              the import.
            </p>
            <Command>sentistream import posts.csv</Command>
          </dd>
        </div>
      </dl>
    </Card>
  );
}
