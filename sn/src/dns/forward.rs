//! Questions that are not ours: asked of the site's resolvers, remembered, and answered.
//!
//! `hickory-resolver` asks (two forwarders at a time, by UDP and then TCP) and keeps the answers;
//! a `hickory-server` [`RequestHandler`] turns what it says into a reply. So a listener for DNS
//! over TLS or HTTPS, which hickory has, could be put before it.
//!
//! DNSSEC records are not asked for, so a validating client cannot use this forwarder.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ServerOrderingStrategy,
};
use hickory_resolver::lookup::Lookup;
use hickory_server::net::runtime::{Time, TokioRuntimeProvider, TokioTime};
use hickory_server::net::xfer::Protocol;
use hickory_server::net::{DnsError, NetError};
use hickory_server::proto::op::{Edns, Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::proto::rr::Record;
use hickory_server::proto::serialize::binary::BinEncoder;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{MessageResponse, MessageResponseBuilder};
use sn_proto::dns::Transport;
use tracing::debug;

/// How long a client waits at most. Most ask again after 5 s; an answer must come before that.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);

/// How long one forwarder may take to answer once; after it, it is asked once more.
const ONE_TRY: Duration = Duration::from_millis(1500);

/// Names that are remembered, at some hundred bytes each.
const REMEMBERED: u64 = 8192;

/// The largest UDP payload that we offer, as in our own answers.
const PAYLOAD: u16 = 1232;

/// The site's resolvers. Without any, the view forwards nothing and this is never asked.
pub(super) struct Forwarder {
    addresses: Vec<IpAddr>,
    resolver: TokioResolver,
}

impl std::fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Forwarder").field(&self.addresses).finish()
    }
}

impl Forwarder {
    pub(super) fn new(addresses: &[IpAddr]) -> Result<Self, NetError> {
        Self::on_port(addresses, 53)
    }

    /// For tests, which may not use port 53.
    pub(super) fn on_port(addresses: &[IpAddr], port: u16) -> Result<Self, NetError> {
        let servers = addresses.iter().map(|address| {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            connections.iter_mut().for_each(|connection| connection.port = port);
            NameServerConfig::new(*address, true, connections)
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.timeout = ONE_TRY;
        options.attempts = 2;
        options.num_concurrent_reqs = 2;
        options.max_active_requests = super::FORWARDED;
        options.cache_size = REMEMBERED;
        options.edns0 = true;
        options.edns_payload_len = PAYLOAD;
        options.use_hosts_file = ResolveHosts::Never;
        options.try_tcp_on_error = true;
        options.server_ordering_strategy = ServerOrderingStrategy::QueryStatistics;
        Ok(Self { addresses: addresses.to_vec(), resolver: builder.build()? })
    }

    /// Whom it asks.
    pub(super) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Asks a question and gives the bytes of the reply, at most `limit`. None for a packet that
    /// hickory does not read; `sn_proto::dns` has read its question already.
    pub(super) async fn ask(
        &self,
        packet: Vec<u8>,
        client: SocketAddr,
        transport: Transport,
        limit: u16,
    ) -> Option<Vec<u8>> {
        let protocol = match transport {
            Transport::Udp => Protocol::Udp,
            Transport::Tcp => Protocol::Tcp,
        };
        let request = Request::from_bytes(packet, client, protocol).ok()?;
        let letter = Letter { limit, bytes: Arc::default() };
        self.handle_request::<_, TokioTime>(&request, letter.clone()).await;
        let bytes = letter.take();
        (!bytes.is_empty()).then_some(bytes)
    }

    async fn look_up(&self, request: &Request) -> Found {
        let Ok(info) = request.request_info() else { return Found::nothing(ResponseCode::FormErr) };
        let mut name = hickory_server::proto::rr::Name::from(info.query.name());
        name.set_fqdn(true);
        let lookup = self.resolver.lookup(name, info.query.query_type());
        match tokio::time::timeout(PATIENCE, lookup).await {
            Ok(Ok(lookup)) => Found { code: ResponseCode::NoError, lookup: Some(lookup), soa: None },
            Ok(Err(NetError::Dns(DnsError::NoRecordsFound(none)))) => Found {
                code: none.response_code,
                lookup: None,
                soa: none.soa.map(|soa| Box::new(soa.into_record_of_rdata())),
            },
            Ok(Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)))) => {
                Found::nothing(ResponseCode::Refused)
            }
            Ok(Err(error)) => {
                debug!(name = %info.query.name(), %error, "forwarders did not answer");
                Found::nothing(ResponseCode::ServFail)
            }
            Err(_) => {
                debug!(name = %info.query.name(), "forwarders took too long");
                Found::nothing(ResponseCode::ServFail)
            }
        }
    }
}

/// What the forwarders know.
struct Found {
    code: ResponseCode,
    lookup: Option<Lookup>,
    soa: Option<Box<Record>>,
}

impl Found {
    const fn nothing(code: ResponseCode) -> Self {
        Self { code, lookup: None, soa: None }
    }
}

#[async_trait::async_trait]
impl RequestHandler for Forwarder {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut out: R,
    ) -> ResponseInfo {
        let found = self.look_up(request).await;
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.recursion_available = true;
        metadata.authoritative = false;
        metadata.authentic_data = false;
        metadata.response_code = found.code;
        let edns = request.edns.as_ref().map(own_edns);
        let builder = || MessageResponseBuilder::new(&request.queries, edns.as_ref());
        let answers = found.lookup.as_ref().map_or(&[][..], Lookup::answers);
        let whole = builder().build(metadata, answers, [], found.soa.as_deref(), []);
        match out.send_response(whole).await {
            Ok(info) if info.truncation => {}
            Ok(info) => return info,
            Err(error) => {
                debug!(%error, "could not write a forwarded answer");
                metadata.response_code = ResponseCode::ServFail;
            }
        }
        // hickory cuts from the end, so the OPT record goes first. Nobody may use half an answer
        // anyway (RFC 2181 §9), so it is sent without any, and with its OPT.
        metadata.truncation = metadata.response_code == ResponseCode::NoError;
        match out.send_response(builder().build_no_records(metadata)).await {
            Ok(info) => info,
            Err(_) => Header { metadata, counts: HeaderCounts::default() }.into(),
        }
    }
}

/// Our own OPT for a request that has one.
fn own_edns(theirs: &Edns) -> Edns {
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD).set_version(0).set_dnssec_ok(theirs.flags().dnssec_ok);
    edns
}

/// Where a handler's reply is put; the last one counts.
#[derive(Clone)]
struct Letter {
    limit: u16,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Letter {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait::async_trait]
impl ResponseHandler for Letter {
    async fn send_response<'a>(
        &mut self,
        response: MessageResponse<
            '_,
            'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
        >,
    ) -> Result<ResponseInfo, NetError> {
        let mut bytes = Vec::with_capacity(512);
        let mut encoder = BinEncoder::new(&mut bytes);
        encoder.set_max_size(self.limit);
        let info = response.destructive_emit(&mut encoder)?;
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
        Ok(info)
    }
}
