//! Every request and response of the protocol, one file per API key.
//!
//! Decides which API keys there are and which messages belong to them; the layouts stand in the
//! files, and what a broker does with a message is not known here.

use core::fmt;

use crate::{
    layout::Versions,
    message::{Message, Request},
};

/// One line per API key: number, name, file, request and response.
macro_rules! apis {
    ($($number:literal $key:ident: $file:ident, $request:ident, $response:ident;)*) => {
        $(pub mod $file;)*

        $(pub use $file::{$request, $response};)*

        /// An API key that this crate has messages for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $(
                #[doc = concat!("Key ", stringify!($number), ": [`", stringify!($file), "`].")]
                $key = $number,
            )*
        }

        impl ApiKey {
            /// Every key, by number.
            pub const ALL: &'static [Self] = &[$(Self::$key),*];

            /// The key with this number.
            #[inline]
            pub const fn from_number(number: i16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$key),)*
                    _ => None,
                }
            }

            /// Kafka's name: `ApiVersions`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$key => stringify!($key),)*
                }
            }

            /// The versions that exist: what this crate can read and write, not what a broker serves.
            #[inline]
            pub const fn versions(self) -> Versions {
                match self {
                    $(Self::$key => <$request as Message>::VERSIONS,)*
                }
            }

            /// The versions with compact lengths and tagged fields.
            #[inline]
            pub const fn flexible(self) -> Versions {
                match self {
                    $(Self::$key => <$request as Message>::FLEXIBLE,)*
                }
            }
        }

        /// The messages of all keys, for tests.
        #[cfg(any(test, feature = "random"))]
        pub(crate) const ENTRIES: &[crate::registry::Entry] = &[
            $(
                crate::registry::Entry::request::<$request>(),
                crate::registry::Entry::response::<$request>(),
            )*
        ];

        // The table and the declarations agree.
        $(const _: () = assert!(
            <$request as Request>::KEY as i16 == $number
                && <<$request as Request>::Response as Message>::NAME.len() == <$response as Message>::NAME.len()
        );)*
    };
}

apis! {
    0 Produce: produce, ProduceRequest, ProduceResponse;
    1 Fetch: fetch, FetchRequest, FetchResponse;
    2 ListOffsets: list_offsets, ListOffsetsRequest, ListOffsetsResponse;
    3 Metadata: metadata, MetadataRequest, MetadataResponse;
    10 FindCoordinator: find_coordinator, FindCoordinatorRequest, FindCoordinatorResponse;
    18 ApiVersions: api_versions, ApiVersionsRequest, ApiVersionsResponse;
    19 CreateTopics: create_topics, CreateTopicsRequest, CreateTopicsResponse;
    22 InitProducerId: init_producer_id, InitProducerIdRequest, InitProducerIdResponse;
}

impl ApiKey {
    /// The number on the wire.
    #[inline]
    pub const fn number(self) -> i16 {
        self as i16
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
