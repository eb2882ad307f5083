import { type QueryKey, useMutation, useQueryClient } from "@tanstack/react-query";
import type { FormEvent } from "react";

interface SaveOptions<T> {
  save: () => Promise<T>;
  /** The queries to refetch after a success. */
  invalidates: readonly QueryKey[];
  onDone: (result: T) => void;
}

/** The submission of a form: saves, refetches what changed and reports the error. */
export function useSave<T>({ save, invalidates, onDone }: SaveOptions<T>) {
  const run = useChange(save, invalidates, onDone);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    run.mutate();
  };
  return { submit, error: run.error, pending: run.isPending };
}

/** A mutation without input that refetches what changed after a success. */
export function useChange<T>(
  change: () => Promise<T>,
  invalidates: readonly QueryKey[],
  onDone?: (result: T) => void,
) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: (result) => {
      onDone?.(result);
      return Promise.all(invalidates.map((queryKey) => queries.invalidateQueries({ queryKey })));
    },
  });
}
