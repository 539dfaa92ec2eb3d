// Every name of the package, used as its guide does; compiled, not run.
import {
  APIError,
  createClient,
  createFileTransfer,
  createSessionWebSocket,
  createWebSocketFileTransfer,
} from '@limacharlie/ai-sessions';
import type {
  AISessionsClient,
  AISessionsConfig,
  AssistantMessage,
  ConnectionState,
  CreateProfileRequest,
  CreateSessionRequest,
  DownloadRequest,
  DownloadResponse,
  LCCredentials,
  MCPServerConfig,
  Profile,
  Session,
  SessionStatus,
  ToolResultMessage,
  ToolUseMessage,
  UploadRequest,
  UploadResponse,
  WebSocketMessage,
  WebSocketOptions,
} from '@limacharlie/ai-sessions';

const config: AISessionsConfig = {
  baseUrl: 'http://127.0.0.1:1',
  token: 'token',
  timeout: 30000,
  retry: { maxRetries: 3, retryDelay: 1000, retryOn: [429, 502, 503, 504] },
};
const client: AISessionsClient = createClient(config);

export async function useSessions(sessionId: string): Promise<Session[]> {
  await client.register();
  const { sessions } = await client.listSessions();
  const { sessions: running } = await client.listSessions({ status: 'running' });
  const credentials: LCCredentials = { type: 'org_api_key', org_api_key: 'key' };
  const request: CreateSessionRequest = { denied_tools: ['WebFetch'], lc_credentials: credentials };
  const { session } = await client.createSession(request);
  const { session: same } = await client.getSession(sessionId);
  const status: SessionStatus = same.status;
  await client.terminateSession(sessionId);
  await client.deleteSessionRecord(sessionId);
  await client.deregister();
  return status === 'running' ? [...sessions, ...running] : [session];
}

export async function useCredentials(code: string): Promise<string | null | undefined> {
  await client.storeAPIKey('sk-ant-api03-xxxxx');
  const status = await client.getCredentialStatus();
  if (!status.has_credentials) await client.deleteCredentials();
  const { oauth_session_id } = await client.startOAuth();
  const response = await client.pollOAuthURL(oauth_session_id);
  if (response.status === 'url_ready') console.log(response.url);
  await client.submitOAuthCode(oauth_session_id, code);
  return status.credential_type;
}

export async function useProfiles(profileId: string, sessionId: string): Promise<Profile[]> {
  const server: MCPServerConfig = { type: 'http', url: 'http://127.0.0.1:2', headers: {} };
  const request: CreateProfileRequest = {
    name: 'Investigation',
    description: 'text',
    allowed_tools: ['Bash', 'Read', 'Grep'],
    denied_tools: ['Write', 'Edit'],
    max_turns: 100,
    max_budget_usd: 10.0,
    mcp_servers: { server },
  };
  const { profiles } = await client.listProfiles();
  const { profile } = await client.createProfile(request);
  const { profile: same } = await client.getProfile(profileId);
  await client.updateProfile(profileId, { name: 'Other', max_turns: 150 });
  await client.deleteProfile(profileId);
  await client.setDefaultProfile(profileId);
  await client.captureProfile(sessionId, { name: 'Captured' });
  return [...profiles, profile, same];
}

export async function useFiles(sessionId: string, file: File): Promise<string> {
  const request: UploadRequest = { filename: 'data.csv', content_type: 'text/csv', size: 1024 };
  const answer: UploadResponse = await client.requestUploadURL(sessionId, request);
  const { upload_url, upload_id, target_path } = answer;
  await fetch(upload_url, { method: 'PUT', body: file, headers: { 'Content-Type': 'text/csv' } });
  await client.notifyUploadComplete(sessionId, upload_id);
  const wanted: DownloadRequest = { path: target_path };
  const download: DownloadResponse = await client.requestDownloadURL(sessionId, wanted);
  const { download_url } = download;

  const fileTransfer = createFileTransfer(client);
  const path: string = await fileTransfer.uploadFile(sessionId, file, 'document.pdf', {
    onProgress: (progress) => console.log(`${progress}%`),
  });
  const blob: Blob = await fileTransfer.downloadFromURL(download_url);
  return path + (await blob.text());
}

export async function useSocket(sessionId: string, file: Blob): Promise<Blob> {
  const options: WebSocketOptions = {
    autoReconnect: true,
    maxReconnectAttempts: 5,
    reconnectDelay: 1000,
    heartbeatInterval: 30000,
  };
  const ws = createSessionWebSocket(
    client.getWebSocketURL(sessionId),
    {
      onMessage: (msg: WebSocketMessage) => console.log(msg.type, msg.payload),
      onAssistant: (msg: AssistantMessage) => console.log(msg.content),
      onToolUse: (msg: ToolUseMessage) => console.log(msg.data.tool_name, msg.payload.name),
      onToolResult: (msg: ToolResultMessage) => console.log(msg.content),
      onUser: (msg) => console.log(msg.content),
      onSystem: (msg) => console.log(msg.payload.message),
      onResult: (msg) => console.log(msg.payload.summary),
      onError: (err) => console.error(err),
      onSessionEnd: (msg) => console.log(msg.payload.reason),
      onConnectionChange: (state: ConnectionState) => console.log(state),
    },
    options,
  );
  await ws.connect();
  console.log(ws.getState());
  ws.sendPrompt('text');
  ws.sendInterrupt();
  ws.sendHeartbeat();
  ws.requestUpload({ request_id: 'req_123', filename: 'data.csv', content_type: 'text/csv', size: 1024 });
  ws.notifyUploadComplete({ request_id: 'req_123', filename: 'data.csv', path: '/workspace/uploads/data.csv' });
  ws.requestDownload({ request_id: 'req_456', path: '/workspace/output.txt' });
  const wsFileTransfer = createWebSocketFileTransfer(ws);
  await wsFileTransfer.uploadFile(file, 'data.csv');
  const blob = await wsFileTransfer.downloadFile('/output/result.txt');
  ws.disconnect();
  return blob;
}

export async function useErrors(): Promise<number> {
  try {
    await client.createSession({});
  } catch (error: any) {
    if ('error' in error && 'message' in error) {
      const apiError = error as APIError;
      console.error(`${apiError.error} - ${apiError.message}`);
      return apiError.status;
    }
  }
  return 0;
}
