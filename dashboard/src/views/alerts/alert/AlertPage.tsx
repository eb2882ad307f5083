import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { keys } from "@/api/keys";
import { alertQuery } from "@/api/queries";
import { getRule } from "@/api/rules";
import type { AlertDetail } from "@/api/types";
import { PostText } from "@/posts/PostText";
import { Card } from "@/ui/Card";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { isMissing } from "../isMissing";
import { Deliveries } from "../receivers/Deliveries";
import { currentValue } from "../useRules";
import { isActive } from "../words";
import { AlertActions } from "./AlertActions";
import { AlertFigures } from "./AlertFigures";
import { AlertHeader } from "./AlertHeader";
import { CitedPosts } from "./CitedPosts";
import { detailsOf } from "./details";
import { RuleCard } from "./RuleCard";
import { TermsCard } from "./TermsCard";
import { TopCard } from "./TopCard";
import { TransitionsCard } from "./TransitionsCard";
import { ValueCard } from "./ValueCard";

/** The page of an alert: figures, evidence, timeline and deliveries. */
export function AlertPage() {
  const { id } = useParams({ from: "/alerts/$id" });
  const query = useQuery(alertQuery(id));
  if (query.data) return <Page alert={query.data} />;
  if (isMissing(query.error)) {
    return (
      <EmptyState title="Alert not found">
        <p>The link may be mistyped, or the alert is older than the retention period.</p>
        <Link to="/alerts" className="text-text underline underline-offset-2">
          Go to alerts
        </Link>
      </EmptyState>
    );
  }
  if (query.error) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  return <SkeletonRows />;
}

function Page({ alert }: { alert: AlertDetail }) {
  const details = detailsOf(alert);
  const rule = useQuery({
    queryKey: keys.rules.ofAlert(alert.rule_id),
    queryFn: ({ signal }) => getRule(alert.rule_id ?? 0, signal),
    enabled: alert.rule_id != null,
    retry: false,
    refetchInterval: isActive(alert) ? 10_000 : false,
  });
  const isRemoved = alert.rule_id == null || isMissing(rule.error);
  const retry = () => void rule.refetch();
  const [quoted] = details.posts;
  return (
    <article className="flex flex-col gap-4">
      <AlertHeader alert={alert} actions={<AlertActions alert={alert} />} />
      <AlertFigures alert={alert} details={details} value={currentValue(rule.data && [rule.data], alert)} />
      <div className="flex flex-col gap-3 sm:hidden">
        {quoted && (
          <blockquote className="border-l-2 border-strong pl-3 text-sm">
            <PostText content={quoted.post.content} lines={4} />
          </blockquote>
        )}
        <AlertActions alert={alert} full />
      </div>
      <div className="grid grid-cols-1 items-start gap-4 xl:grid-cols-[minmax(0,1fr)_24rem]">
        <div className="flex min-w-0 flex-col gap-4">
          <ValueCard alert={alert} rule={rule.data} gone={isRemoved} error={rule.error} retry={retry} />
          <CitedPosts alert={alert} posts={details.posts} />
          <Deliveries alert={alert.id} />
        </div>
        <div className="grid min-w-0 gap-4 md:grid-cols-2 xl:grid-cols-1">
          <TransitionsCard alert={alert} />
          <TermsCard alert={alert} terms={details.terms} />
          <TopCard title="Sources" of="source" alert={alert} shares={details.sources} />
          <TopCard title="Authors" of="author" alert={alert} shares={details.authors} />
          {rule.data ? (
            <RuleCard rule={rule.data} />
          ) : (
            rule.error && (
              <Card title="Rule">
                {isRemoved ? (
                  <p className="text-sm text-quiet">The rule has been removed.</p>
                ) : (
                  <ErrorState error={rule.error} retry={retry} />
                )}
              </Card>
            )
          )}
        </div>
      </div>
    </article>
  );
}
