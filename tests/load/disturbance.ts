/** What other programs on this machine can bring about; what is wrong by itself is no such thing. */
class Disturbance extends Error {}

/** Whether something holds that does hold when the machine is left alone. */
export function expectUndisturbed(condition: boolean, message: string): void {
  if (!condition) throw new Disturbance(message);
}

/**
 * Repeats a test that was disturbed. A measuring error disturbs every attempt, and whatever is not
 * `expectUndisturbed` fails at once.
 */
export async function undisturbed(attempts: number, attempt: () => Promise<void>): Promise<void> {
  for (let left = attempts - 1;; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0 || !(error instanceof Disturbance)) throw error;
    }
  }
}
