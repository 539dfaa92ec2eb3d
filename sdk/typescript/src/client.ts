import { APIError } from './errors.js';
import { bindFetch, HttpConnection, type FetchFunction } from './http.js';
import type * as types from './types.js';

/** Client of the REST routes of a sessions server. Every call throws APIError when it fails. */
export class AISessionsClient {
  readonly baseUrl: string;
  /** Milliseconds for one request. */
  readonly timeout: number;
  readonly fetch: FetchFunction;
  readonly #http: HttpConnection;
  readonly #token: string;

  constructor(config: types.AISessionsConfig) {
    this.timeout = config.timeout ?? 30_000;
    this.fetch = bindFetch(config.fetch);
    this.#token = config.token;
    this.#http = new HttpConnection({
      baseUrl: config.baseUrl,
      token: config.token,
      timeout: this.timeout,
      retry: config.retry ?? {},
      fetch: this.fetch,
    });
    this.baseUrl = this.#http.baseUrl;
  }

  // -------------------------------------------------------------- registration

  register(): Promise<types.RegisterResponse> {
    return this.#http.request('POST', '/v1/register');
  }

  /** End all sessions of the user and delete credentials and data. */
  deregister(): Promise<types.DeregisterResponse> {
    return this.#http.request('DELETE', '/v1/register');
  }

  // -------------------------------------------------------------- sessions

  async listSessions(options: types.ListSessionsOptions = {}): Promise<types.ListSessionsResponse> {
    const { status, limit, cursor } = options;
    const page = await this.#http.request<types.ListSessionsResponse>('GET', '/v1/sessions', undefined, {
      status,
      limit,
      cursor,
    });
    return { ...page, sessions: page.sessions ?? [] };
  }

  /** Start a session; a user who is not registered yet is registered first. */
  async createSession(request: types.CreateSessionRequest = {}): Promise<types.SessionResponse> {
    try {
      return await this.#http.request('POST', '/v1/sessions', request);
    } catch (problem) {
      if (!(problem instanceof APIError && problem.error === 'not_registered')) throw problem;
      await this.register();
      return this.#http.request('POST', '/v1/sessions', request);
    }
  }

  getSession(sessionId: string): Promise<types.SessionResponse> {
    return this.#http.request('GET', sessionPath(sessionId));
  }

  terminateSession(sessionId: string): Promise<types.TerminateResponse> {
    return this.#http.request('DELETE', sessionPath(sessionId));
  }

  /** Remove the record of an ended session. */
  deleteSessionRecord(sessionId: string): Promise<types.DeleteResponse> {
    return this.#http.request('DELETE', `${sessionPath(sessionId)}/record`);
  }

  forkPreflight(sessionId: string, options: { profile_id?: string } = {}): Promise<types.ForkPreflight> {
    return this.#http.request('GET', `${sessionPath(sessionId)}/fork-preflight`, undefined, { ...options });
  }

  forkSession(sessionId: string, request: types.ForkRequest = {}): Promise<types.SessionResponse> {
    return this.#http.request('POST', `${sessionPath(sessionId)}/fork`, request);
  }

  // -------------------------------------------------------------- credentials

  storeAPIKey(apiKey: string): Promise<types.SuccessResponse> {
    return this.#http.request('POST', '/v1/auth/claude/apikey', { api_key: apiKey });
  }

  getCredentialStatus(): Promise<types.CredentialStatus> {
    return this.#http.request('GET', '/v1/auth/claude/status');
  }

  deleteCredentials(): Promise<types.SuccessResponse> {
    return this.#http.request('DELETE', '/v1/auth/claude');
  }

  startOAuth(): Promise<types.StartOAuthResponse> {
    return this.#http.request('POST', '/v1/auth/claude/start');
  }

  pollOAuthURL(oauthSessionId: string): Promise<types.OAuthURLResponse> {
    return this.#http.request('GET', '/v1/auth/claude/url', undefined, { session_id: oauthSessionId });
  }

  submitOAuthCode(oauthSessionId: string, code: string): Promise<types.OAuthCodeResponse> {
    return this.#http.request('POST', '/v1/auth/claude/code', { session_id: oauthSessionId, code });
  }

  /** Return the stored credentials of all providers, without their values. */
  getCredentials(): Promise<types.CredentialsResponse> {
    return this.#http.request('GET', '/v1/credentials');
  }

  storeProviderCredential(
    provider: types.CredentialKind,
    credential: types.ProviderSecret,
  ): Promise<types.SuccessResponse> {
    return this.#http.request('POST', `/v1/credentials/${provider}`, credential);
  }

  deleteProviderCredential(provider: types.CredentialProvider): Promise<types.SuccessResponse> {
    return this.#http.request('DELETE', `/v1/credentials/${provider}`);
  }

  // -------------------------------------------------------------- profiles

  listProfiles(): Promise<types.ListProfilesResponse> {
    return this.#http.request('GET', '/v1/profiles');
  }

  createProfile(request: types.CreateProfileRequest): Promise<types.ProfileResponse> {
    return this.#http.request('POST', '/v1/profiles', request);
  }

  getProfile(profileId: string): Promise<types.ProfileResponse> {
    return this.#http.request('GET', profilePath(profileId));
  }

  /** Change the given fields of a profile. */
  updateProfile(profileId: string, request: types.UpdateProfileRequest): Promise<types.ProfileResponse> {
    return this.#http.request('PUT', profilePath(profileId), request);
  }

  deleteProfile(profileId: string): Promise<types.DeleteResponse> {
    return this.#http.request('DELETE', profilePath(profileId));
  }

  setDefaultProfile(profileId: string): Promise<types.ProfileResponse> {
    return this.#http.request('POST', `${profilePath(profileId)}/default`);
  }

  /** Make a profile of the settings of a session. */
  captureProfile(sessionId: string, request: types.CaptureProfileRequest): Promise<types.ProfileResponse> {
    return this.#http.request('POST', `${sessionPath(sessionId)}/capture-profile`, request);
  }

  // -------------------------------------------------------------- files

  requestUploadURL(sessionId: string, request: types.UploadRequest): Promise<types.UploadResponse> {
    return this.#http.request('POST', `${filesPath(sessionId)}/upload`, request);
  }

  notifyUploadComplete(sessionId: string, uploadId: string): Promise<types.UploadCompleteResponse> {
    return this.#http.request('POST', `${filesPath(sessionId)}/upload/complete`, { upload_id: uploadId });
  }

  requestDownloadURL(sessionId: string, request: types.DownloadRequest): Promise<types.DownloadResponse> {
    return this.#http.request('POST', `${filesPath(sessionId)}/download`, request);
  }

  // -------------------------------------------------------------- WebSocket

  /** Return the address for createSessionWebSocket. It holds the token: keep it out of logs. */
  getWebSocketURL(sessionId: string): string {
    const base = this.baseUrl.replace(/^http/i, 'ws');
    return `${base}/v1/ws/sessions/${encodeURIComponent(sessionId)}?token=${encodeURIComponent(this.#token)}`;
  }
}

/** Return a client of the server at `config.baseUrl`. */
export function createClient(config: types.AISessionsConfig): AISessionsClient {
  return new AISessionsClient(config);
}

function sessionPath(sessionId: string): string {
  return `/v1/sessions/${encodeURIComponent(sessionId)}`;
}

function filesPath(sessionId: string): string {
  return `/v1/io/sessions/${encodeURIComponent(sessionId)}`;
}

function profilePath(profileId: string): string {
  return `/v1/profiles/${encodeURIComponent(profileId)}`;
}
