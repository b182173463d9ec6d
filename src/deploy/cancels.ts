import { UserError } from "../errors.ts";

/** The deploys that may still be cancelled: those that were begun here and are neither live nor refused. */
export class Cancels {
  readonly #controllers = new Map<number, AbortController>();

  /** Aborted, with `DEPLOY_CANCELLED` as the reason, when somebody cancels the deploy. */
  begin(deploy: number): AbortSignal {
    const controller = new AbortController();
    this.#controllers.set(deploy, controller);
    return controller.signal;
  }

  signalOf(deploy: number): AbortSignal {
    return this.#controllers.get(deploy)?.signal ?? this.begin(deploy);
  }

  /** Whether there was something to cancel. */
  cancel(deploy: number, by: string): boolean {
    const controller = this.#controllers.get(deploy);
    controller?.abort(new UserError("DEPLOY_CANCELLED", `${by} cancelled this deploy`));
    return controller !== undefined;
  }

  end(deploy: number): void {
    this.#controllers.delete(deploy);
  }
}
