/** What is used of the library's router. */
export interface CopyRemover {
  readonly score: { duplicateMessage(...details: never[]): void };
}

/** Tells of each further copy of a message that gossipsub removes, as it does before anybody sees it. */
export function whenCopyRemoved({ score }: CopyRemover, removed: () => void): void {
  const duplicateMessage = score.duplicateMessage.bind(score);
  score.duplicateMessage = (...details) => {
    removed();
    duplicateMessage(...details);
  };
}
