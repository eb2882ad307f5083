import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { api, dataOf } from "@/api/client";
import { writeToken } from "@/api/session";
import { Button } from "@/ui/Button";
import { SkeletonRows } from "@/ui/states";
import { SignInError } from "./SignInError";
import { useWait } from "./useWait";

interface TokenLinkProps {
  code: string;
  onDone: (session: null) => void;
  /** Goes to the other ways to sign in. */
  onLeave: () => void;
}

/** Exchanges the code of a sign-in link for a token. */
export function TokenLink({ code, onDone, onLeave }: TokenLinkProps) {
  // A query instead of an effect: the code works once, and React runs effects twice during development.
  const { data, error } = useQuery({
    queryKey: ["sign-in-link", code],
    queryFn: () => dataOf(api.POST("/api/sign-in", { body: { code } })),
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: false,
    retry: false,
  });
  const wait = useWait(error);
  useEffect(() => {
    if (!data) return;
    writeToken(data.token);
    onDone(null);
  }, [data, onDone]);
  if (!error) return <SkeletonRows rows={2} />;
  return (
    <>
      <h1 className="text-xl font-semibold">Sign in</h1>
      <SignInError
        error={error}
        wait={wait}
        refused="This link was used or has expired. Print a new one on the server with “sentistream sign-in”."
      />
      <Button onClick={onLeave}>Other ways to sign in</Button>
    </>
  );
}
