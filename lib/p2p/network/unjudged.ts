/** What is used of the library's router. */
export interface Judge {
  readonly score: {
    score(peer: string): number;
    validateMessage(...details: never[]): void;
    deliverMessage(...details: never[]): void;
    duplicateMessage(...details: never[]): void;
    rejectMessage(...details: never[]): void;
    rejectInvalidMessage(...details: never[]): void;
  };
}

const nothing = () => {};

/**
 * Judges nobody, as rust-libp2p has it unless told otherwise. With all weights at 0 the library still
 * keeps two minutes of records, one for each message and who sent it, to come to 0 each time.
 */
export function judgeNobody({ score }: Judge): void {
  score.score = () => 0;
  score.validateMessage = nothing;
  score.deliverMessage = nothing;
  score.duplicateMessage = nothing;
  score.rejectMessage = nothing;
  score.rejectInvalidMessage = nothing;
}
