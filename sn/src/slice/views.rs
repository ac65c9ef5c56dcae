//! The views of all services: built together, switched together.

use std::sync::Arc;

use common::slice::{Slice, Stamp};
use tokio::sync::watch;

/// One line a service: how it is called in a refusal, and its view.
macro_rules! views {
    ($($service:ident: $view:ty),+ $(,)?) => {
        /// The newest view of each service. Clones share them.
        #[derive(Clone, Debug)]
        pub struct Views {
            $(
                #[doc = concat!("Of `", stringify!($service), "`.")]
                pub $service: watch::Sender<Arc<$view>>,
            )+
        }

        /// Views that no service sees yet.
        #[derive(Debug)]
        pub struct Built {
            $($service: Arc<$view>,)+
        }

        impl Built {
            /// Builds the view of every service; none is seen by anyone.
            ///
            /// # Errors
            /// What each service cannot do, one line each, the service in front.
            pub fn build(slice: &Slice) -> Result<Self, Vec<String>> {
                let mut reasons = Vec::new();
                $(
                    let $service = <$view>::build(slice).map_err(|why| {
                        reasons.extend(why.into_iter().map(|one| format!("{}: {one}", stringify!($service))));
                    });
                )+
                match ($($service,)+) {
                    ($(Ok($service),)+) => Ok(Self { $($service: Arc::new($service),)+ }),
                    _ => Err(reasons),
                }
            }
        }

        impl Views {
            /// The first views.
            pub fn new(built: Built) -> Self {
                Self { $($service: watch::Sender::new(built.$service),)+ }
            }

            /// Switches every service to its new view.
            pub fn swap(&self, built: Built) {
                $(self.$service.send_replace(built.$service);)+
            }
        }
    };
}

views! {
    dhcp: sn_proto::dhcp::view::View,
    tftp: sn_proto::tftp::view::View,
    http: sn_proto::http::View,
    dns: sn_proto::dns::View,
    ntp: sn_proto::ntp::View,
    syslog: sn_proto::syslog::View,
    nfs: sn_proto::export::View,
}

impl Built {
    /// The same views, of this slice: HTTP tells its clients the generation that they are served
    /// from.
    #[must_use]
    pub fn at(mut self, stamp: Option<&Stamp>) -> Self {
        if let Some(stamp) = stamp {
            let http = Arc::make_mut(&mut self.http);
            *http = std::mem::take(http).at(stamp.generation);
        }
        self
    }
}
