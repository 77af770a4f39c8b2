/** The hidden command that makes the executable a worker of the process that started it. */
export const workerCommand = "worker";
