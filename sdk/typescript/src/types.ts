import type { FetchFunction, RetryOptions } from './http.js';

export interface AISessionsConfig {
  /** Address of the server, as `lisa serve` prints it. */
  baseUrl: string;
  /** Bearer token. */
  token: string;
  /** Milliseconds for one request; default 30000. */
  timeout?: number;
  retry?: RetryOptions;
  fetch?: FetchFunction;
}

// ---------------------------------------------------------------- sessions

/** `pending`, `terminated` and `failed` are names of older servers. */
export type SessionStatus = 'starting' | 'running' | 'ended' | 'pending' | 'terminated' | 'failed';

export interface Session {
  id: string;
  status: SessionStatus;
  region?: string | null;
  created_at?: string | null;
  started_at?: string | null;
  last_activity_at?: string | null;
  expires_at?: string | null;
  terminated_at?: string | null;
  /** The same as `terminated_at`. */
  ended_at?: string | null;
  end_reason?: string | null;
  end_detail?: string | null;
  exit_code?: number | null;
  error_message?: string | null;
  lc_auth_type?: string | null;
  allowed_tools?: string[] | null;
  denied_tools?: string[] | null;
  plugins?: string[] | null;
  forked_from_session_id?: string | null;
  /** The same as `id`. */
  session_id?: string | null;
  name?: string | null;
  session_type?: 'api' | 'user' | null;
  owner_oid?: string | null;
  owner_uid?: string | null;
  agent?: string | null;
  provider?: string | null;
  model?: string | null;
  initial_prompt?: string | null;
  trigger_source?: string | null;
  definition?: string | null;
  idempotent_key?: string | null;
  debounce_key?: string | null;
  permission_mode?: string | null;
  max_turns?: number | null;
  max_budget_usd?: number | null;
  task_budget_tokens?: number | null;
  ttl_seconds?: number | null;
  one_shot?: boolean | null;
  num_turns?: number | null;
  input_tokens?: number | null;
  output_tokens?: number | null;
  cache_read_tokens?: number | null;
  cache_write_tokens?: number | null;
  total_cost_usd?: number | null;
  /** True if the dollars are those of the price table, not the agent's own. */
  cost_estimated?: boolean | null;
  ui_state?: 'running' | 'waiting' | 'ended' | null;
  needs_attention?: boolean | null;
  pending?: { approvals: number; questions: number } | null;
  warnings?: string[] | null;
  workdir?: string | null;
  tmux?: { socket: string; session: string; pane: string } | null;
  lisa_session?: string | null;
  lisa_state?: string | null;
  /** Fields that this version does not name. */
  [field: string]: unknown;
}

export interface LCCredentials {
  type: 'org_api_key';
  org_api_key: string;
}

export type PermissionMode = 'acceptEdits' | 'plan' | 'bypassPermissions';

export interface CreateSessionRequest {
  name?: string;
  allowed_tools?: string[];
  denied_tools?: string[];
  permission_mode?: PermissionMode;
  /** With a key the creation is repeated after a failed request, and happens once. */
  idempotent_key?: string;
  provider?: string;
  model?: string;
  max_turns?: number;
  max_budget_usd?: number;
  task_budget_tokens?: number;
  ttl_seconds?: number;
  one_shot?: boolean;
  plugins?: string[];
  lc_credentials?: LCCredentials;
  profile_id?: string;
  prompt?: string;
  agent?: string;
  /** Name of a definition of the project. */
  definition?: string;
  /** Folder of the project; by default that of the token. */
  workdir?: string;
}

export interface SessionResponse {
  session: Session;
  warnings?: string[];
}

export interface ListSessionsOptions {
  status?: SessionStatus;
  limit?: number;
  cursor?: string;
}

export interface ListSessionsResponse {
  sessions: Session[];
  /** Cursor of the next page; empty on the last one. */
  next_cursor?: string | null;
}

export interface RegisterResponse {
  registered: boolean;
  registered_at: string;
}

export interface DeregisterResponse {
  deregistered: boolean;
}

export interface TerminateResponse {
  terminated: boolean;
}

export interface DeleteResponse {
  deleted: boolean;
}

export interface ForkPreflight {
  source_session_id: string;
  source_session_type: 'api' | 'user';
  source_status: SessionStatus;
  source_name: string;
  source_lifetime_days: number;
  default_fork_name: string;
  source_mcp_servers: string[];
  missing_mcps: string[];
  is_forkable: boolean;
  is_forkable_reason: string;
  history_available: boolean;
}

export interface ForkRequest {
  name?: string;
  profile_id?: string;
  initial_prompt?: string;
  acknowledge_missing_tools?: string[];
}

// ---------------------------------------------------------------- credentials

export interface CredentialStatus {
  has_credentials: boolean;
  credential_type?: 'api_key' | 'oauth_token' | null;
  created_at?: string | null;
}

export interface SuccessResponse {
  success: boolean;
  message?: string;
}

export interface StartOAuthResponse {
  oauth_session_id: string;
  expires_in: number;
  message?: string;
}

export interface OAuthURLResponse {
  status: 'pending' | 'url_ready' | 'failed';
  url?: string;
  message?: string;
  error?: string;
}

export interface OAuthCodeResponse extends SuccessResponse {
  status?: string;
  error?: string;
}

export type CredentialProvider = 'openai' | 'google' | 'openrouter';

/** A provider, or another kind of access to one. */
export type CredentialKind = CredentialProvider | 'openai/azure' | 'google/vertex';

/** `api_key`, or the fields of another kind of access. */
export interface ProviderSecret {
  api_key?: string;
  org_id?: string;
  project_id?: string;
  endpoint?: string;
  deployment_name?: string;
  api_version?: string;
  region?: string;
  service_account_json?: string;
}

export interface ProviderCredential {
  has_credentials: boolean;
  type?: string | null;
  created_at?: string | null;
}

export interface CredentialsResponse {
  providers: Record<string, ProviderCredential>;
}

// ---------------------------------------------------------------- profiles

export interface MCPServerConfig {
  type: 'http' | 'sse' | 'stdio';
  url?: string;
  headers?: Record<string, string>;
  command?: string;
  args?: string[];
  env?: Record<string, string>;
}

export interface ProfileContent {
  agent?: string;
  allowed_tools?: string[];
  denied_tools?: string[];
  permission_mode?: PermissionMode;
  provider?: string;
  model?: string;
  max_turns?: number;
  max_budget_usd?: number;
  task_budget_tokens?: number;
  ttl_seconds?: number;
  one_shot?: boolean;
  plugins?: string[];
  environment?: Record<string, string>;
  mcp_servers?: Record<string, MCPServerConfig>;
}

export interface CreateProfileRequest extends ProfileContent {
  name: string;
  description?: string;
  is_default?: boolean;
}

export type UpdateProfileRequest = Partial<CreateProfileRequest>;

export interface CaptureProfileRequest {
  name: string;
  description?: string;
}

export interface Profile extends ProfileContent {
  id: string;
  name: string;
  description?: string;
  is_default: boolean;
  created_at?: string;
  updated_at?: string;
}

export interface ProfileResponse {
  profile: Profile;
}

export interface ListProfilesResponse {
  profiles: Profile[];
}

// ---------------------------------------------------------------- files

export interface UploadRequest {
  filename: string;
  content_type: string;
  /** Bytes. */
  size: number;
}

export interface UploadResponse {
  upload_url: string;
  upload_id: string;
  target_path: string;
  expires_at?: string;
}

export interface UploadCompleteResponse {
  success: boolean;
  path: string;
}

export interface DownloadRequest {
  path: string;
}

export interface DownloadResponse {
  download_url: string;
  expires_at?: string;
  size?: number;
}
